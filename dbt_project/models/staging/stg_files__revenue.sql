with landed as (
    select * from {{ landed('revenue') }}
),

final as (
    select
        account_id,
        invoice_id,

        currency,
        lower(trim(status)) as invoice_status,

        revenue,
        gross_margin,

        cast(date_trunc('month', month) as date) as revenue_month,

{{ load_columns() }}
    from landed
)

select * from final
