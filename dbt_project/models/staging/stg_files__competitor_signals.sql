with landed as (
    select * from {{ landed('competitor_signals') }}
),

final as (
    select
        account_id,
        company_domain,

        website,
        competitor,
        lower(trim(signal)) as signal,

        occurred_on,

{{ load_columns() }}
    from landed
)

select * from final
