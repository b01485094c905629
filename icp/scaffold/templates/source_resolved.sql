with facts as (
    -- a later load overrules an earlier one; nothing of the day of the run or after it
    select *
    from {{ ref('stg_files__$name') }}
    where occurred_on < {{ local_date(as_of()) }}
    qualify row_number() over (
        partition by fact_id
        order by
            {{ load_order('desc') }}
    ) = 1
),

final as (
    select
        facts.fact_id,
        coalesce(aliases.account_id, domains.account_id) as account_id,
        facts.what,
        facts.amount,
        facts.occurred_on
    from facts
    left join {{ ref('int_account_aliases') }} as aliases on facts.account_id = aliases.record_id
    left join {{ ref('int_account_domains') }} as domains on facts.company_domain = domains.company_domain
    where coalesce(aliases.account_id, domains.account_id) is not null
)

select * from final
