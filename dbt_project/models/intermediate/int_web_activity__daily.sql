with landed_days as (
    select *
    from {{ ref('stg_files__web_activity') }}
    where visited_on < {{ local_date(as_of()) }}
    qualify row_number() over (
        partition by account_id, website, visited_on
        order by
            {{ load_order('desc') }}
    ) = 1
),

final as (
    select
        coalesce(aliases.account_id, domains.account_id) as account_id,
        landed_days.visited_on,
        sum(landed_days.visits) as visits,
        sum(landed_days.page_views) as page_views,
        sum(landed_days.key_events) as key_events,
        sum(landed_days.pricing_views) as pricing_views,
        sum(landed_days.product_views) as product_views,
        sum(landed_days.content_views) as content_views,
        min(nullif(trim(landed_days.first_channel), '')) as first_channel
    from landed_days
    left join {{ ref('int_account_aliases') }} as aliases on landed_days.account_id = aliases.record_id
    left join {{ ref('int_account_domains') }} as domains on landed_days.company_domain = domains.company_domain
    where
        coalesce(aliases.account_id, domains.account_id) is not null
        -- a day that analytics took back lands as zeros: nobody visited
        and (
            landed_days.visits is distinct from 0
            or greatest(
                landed_days.page_views,
                landed_days.key_events,
                landed_days.pricing_views,
                landed_days.product_views,
                landed_days.content_views
            ) > 0
        )
    group by coalesce(aliases.account_id, domains.account_id), landed_days.visited_on
)

select * from final
