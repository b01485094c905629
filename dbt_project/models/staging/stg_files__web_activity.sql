with landed as (
    select * from {{ landed('web_activity') }}
),

final as (
    select
        account_id,
        company_domain,

        website,
        first_channel,

        visits,
        page_views,
        key_events,
        pricing_views,
        product_views,
        content_views,

        activity_date as visited_on,

{{ load_columns() }}
    from landed
)

select * from final
