with aliases as (
    select * from {{ ref('int_account_aliases') }}
),

records as (
    select * from {{ ref('int_account_records__latest') }} where company_domain is not null
),

final as (
    -- a record merged away may carry a domain that is the survivor of another company's: the surviving record keeps it
    select
        records.company_domain,
        aliases.account_id
    from records
    inner join aliases on records.record_id = aliases.record_id
    qualify row_number() over (
        partition by records.company_domain
        order by case when aliases.record_id = aliases.account_id then 0 else 1 end, aliases.account_id, aliases.record_id
    ) = 1
)

select * from final
