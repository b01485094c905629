with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

participations as (
    select * from {{ ref('int_event_participation__resolved') }}
),

feed as (
    select min(occurred_on) as first_day from participations
),

counted as (
    select
        spine.observation_id,
        count(*) as events,
        sum(case when participations.participation = 'attended' then 1 else 0 end) as events_attended,
        sum(case when participations.participation = 'sponsored' then 1 else 0 end) as events_sponsored,
        max(participations.occurred_on) as last_event_on
    from spine
    inner join participations
        on spine.account_id = participations.account_id
        and participations.occurred_on < spine.observed_on
        and participations.occurred_on >= spine.observed_on - 365
    group by spine.observation_id
),

final as (
    -- before the feed had run for a year nobody can tell how many events a year had
    select
        spine.observation_id,
        spine.observed_on,
        {% for name in ['events', 'events_attended', 'events_sponsored'] %}
        case
            when feed.first_day <= spine.observed_on - 365 then cast(coalesce(counted.{{ name }}, 0) as double)
        end as {{ name }}_365d,
        {% endfor %}
        counted.last_event_on
    from spine
    cross join feed
    left join counted on spine.observation_id = counted.observation_id
)

select * from final
