with landed as (
    select * from {{ landed('surveys') }}
),

final as (
    select
        response_id,
        account_id,
        company_domain,

        lower(trim(survey_kind)) as survey_kind,

        score,

        responded_at,

{{ load_columns() }}
    from landed
)

select * from final
