with answers as (
    select *
    from {{ ref('stg_files__surveys') }}
    where responded_at <= {{ as_of() }}
    qualify row_number() over (
        partition by response_id
        order by
            {{ load_order('desc') }}
    ) = 1
),

final as (
    select
        answers.response_id,
        coalesce(aliases.account_id, domains.account_id) as account_id,
        answers.survey_kind,
        answers.score,
        answers.responded_at
    from answers
    left join {{ ref('int_account_aliases') }} as aliases on answers.account_id = aliases.record_id
    left join {{ ref('int_account_domains') }} as domains on answers.company_domain = domains.company_domain
    where coalesce(aliases.account_id, domains.account_id) is not null
)

select * from final
