with landed as (
    select * from {{ landed('technologies') }}
),

final as (
    select
        company_domain,

        website,
        technology,
        category,

        first_detected_at,
        last_detected_at,

{{ load_columns() }}
    from landed
)

select * from final
