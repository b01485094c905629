{% set counts = ['visits', 'key_events', 'pricing_views', 'product_views', 'content_views'] %}

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
    select
        min(visited_on) as first_day,
        {% for name in counts[2:] %}
        min(case when {{ name }} is not null then visited_on end) as {{ name }}_first_day{{ ',' if not loop.last }}
        {% endfor %}
    from activity
),

counted as (
    -- whole days before the day of the observation: what happened on the day itself may be its consequence
    select
        spine.observation_id,
        {% for name in counts %}
        sum(case when activity.visited_on >= spine.observed_on - 30 then activity.{{ name }} end) as {{ name }}_30d,
        sum(activity.{{ name }}) as {{ name }}_90d,
        {% endfor %}
        max(activity.visited_on) as last_visited_on
    from spine
    inner join activity
        on spine.account_id = activity.account_id
        and activity.visited_on < spine.observed_on
        and activity.visited_on >= spine.observed_on - 90
    group by spine.observation_id
)

-- no visits is 0 only where a visit would have been seen: the feed had begun and knows the account or its domain
select
    spine.account_id,
    spine.observed_on,
    spine.observation_id,
    {% for name in counts %}
    counted.{{ name }}_30d,
    counted.{{ name }}_90d,
    {% endfor %}
    counted.last_visited_on,
    {% for name in counts[2:] %}
    feed.{{ name }}_first_day,
    {% endfor %}
    feed.first_day,
    attributes.company_domain is not null or counted.observation_id is not null as is_seeable
from spine
cross join feed
left join {{ ref('int_account_attributes__as_of') }} as attributes on spine.observation_id = attributes.observation_id
left join counted on spine.observation_id = counted.observation_id
