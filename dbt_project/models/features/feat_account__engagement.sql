with counted as (
    select
        *,
        is_seeable and first_day <= observed_on - 30 as is_seen_30d,
        is_seeable and first_day <= observed_on - 90 as is_seen_90d
    from {{ ref('int_web_activity__observed') }}
),

final as (
    -- the trend is what the last 30 days had above (or below) an average 30 days of the 60 before
    select
        observation_id,
        observed_on,
        case when is_seen_30d then coalesce(visits_30d, 0) end as visits_30d,
        case when is_seen_90d then coalesce(visits_90d, 0) end as visits_90d,
        case when is_seen_90d then 1.5 * coalesce(visits_30d, 0) - 0.5 * coalesce(visits_90d, 0) end as visits_trend,
        case when is_seen_30d then coalesce(key_events_30d, 0) end as key_events_30d,
        case when is_seen_90d then coalesce(key_events_90d, 0) end as key_events_90d,
        case when is_seen_90d then 1.5 * coalesce(key_events_30d, 0) - 0.5 * coalesce(key_events_90d, 0) end as key_events_trend,
        last_visited_on
    from counted
)

select * from final
