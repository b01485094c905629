with landed as (
    select * from {{ landed('web_activity') }}
),

final as (
    select
        account_id,
        company_domain,

        website,

        visits,
        page_views,
        key_events,

        activity_date as visited_on,

{{ load_columns() }}
    from landed
)

select * from final
