with counted as (
    select * from {{ ref('int_web_activity__observed') }}
),

first_touches as (
    -- the first visit whose channel is known; its day decides whether an observation knows of it
    select
        account_id,
        min(visited_on) as first_touched_on,
        min_by(first_channel, visited_on) as first_channel
    from {{ ref('int_web_activity__daily') }}
    where first_channel is not null
    group by account_id
),

final as (
    select
        counted.observation_id,
        counted.observed_on,
        {% for kind in ['pricing', 'product', 'content'] %}
        case
            when counted.is_seeable and counted.{{ kind }}_views_first_day <= counted.observed_on - 90
                then coalesce(counted.{{ kind }}_views_90d, 0)
        end as {{ kind }}_views_90d,
        {% endfor %}
        case
            when touches.first_touched_on < counted.observed_on then {{ term('channels', 'touches.first_channel') }}
        end as first_touch_channel,
        case when touches.first_touched_on < counted.observed_on then touches.first_touched_on end as first_touched_on
    from counted
    left join first_touches as touches on counted.account_id = touches.account_id
    {{ join_terms('channels', 'channel', 'touches.first_channel') }}
)

select * from final
