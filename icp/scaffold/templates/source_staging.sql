with landed as (
    select * from {{ landed('$name') }}
),

final as (
    select
        fact_id,
        account_id,
        company_domain,

        lower(trim(what)) as what,

        amount,

        occurred_on,

{{ load_columns() }}
    from landed
)

select * from final
