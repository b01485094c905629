with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

activity as (
    select * from {{ ref('int_web_activity__daily') }}
),

feed as (
    select min(visited_on) as first_day from activity
),

counted as (
    -- whole days before the day of the observation: what happened on the day itself may be its consequence
    select
        spine.observation_id,
        sum(case when activity.visited_on >= spine.observed_on - 30 then activity.visits end) as visits_30d,
        sum(activity.visits) as visits_90d,
        sum(activity.key_events) as key_events_90d,
        max(activity.visited_on) as last_visited_on
    from spine
    inner join activity
        on spine.account_id = activity.account_id
        and activity.visited_on < spine.observed_on
        and activity.visited_on >= spine.observed_on - 90
    group by spine.observation_id
),

seeable as (
    -- no visits is 0 only where a visit would have been seen: the feed had begun and knows the account or its domain
    select
        spine.observation_id,
        spine.observed_on,
        case
            when counted.observation_id is not null or attributes.company_domain is not null then feed.first_day
        end as seeable_since
    from spine
    cross join feed
    left join {{ ref('int_account_attributes__as_of') }} as attributes on spine.observation_id = attributes.observation_id
    left join counted on spine.observation_id = counted.observation_id
),

final as (
    select
        seeable.observation_id,
        seeable.observed_on,
        case when seeable_since <= observed_on - 30 then coalesce(counted.visits_30d, 0) end as visits_30d,
        case when seeable_since <= observed_on - 90 then coalesce(counted.visits_90d, 0) end as visits_90d,
        case when seeable_since <= observed_on - 90 then coalesce(counted.key_events_90d, 0) end as key_events_90d,
        counted.last_visited_on
    from seeable
    left join counted on seeable.observation_id = counted.observation_id
)

select * from final
