with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

signals as (
    select * from {{ ref('int_competitor_signals__resolved') }}
),

feed as (
    select min(occurred_on) as first_day from signals
),

per_competitor as (
    select
        spine.observation_id,
        signals.competitor,
        max(case when signals.signal = 'evaluates' then signals.occurred_on end) as evaluated_on,
        max(case when signals.signal = 'uses' then signals.occurred_on end) as used_on,
        max(case when signals.signal = 'dropped' then signals.occurred_on end) as dropped_on,
        max(signals.occurred_on) as last_signal_on
    from spine
    inner join signals on spine.account_id = signals.account_id and signals.occurred_on < spine.observed_on
    group by spine.observation_id, signals.competitor
),

known as (
    select
        observation_id,
        max(evaluated_on) as evaluated_on,
        max(dropped_on) as dropped_on,
        -- used and not dropped since
        bool_or(used_on is not null and coalesce(dropped_on < used_on, true)) as is_used,
        max(last_signal_on) as last_signal_on
    from per_competitor
    group by observation_id
),

final as (
    -- no signal says no only once the feed had run for the days that are asked about
    select
        spine.observation_id,
        spine.observed_on,
        case when feed.first_day < spine.observed_on then coalesce(known.is_used, false) end as uses_competitor,
        case
            when feed.first_day <= spine.observed_on - 180 then coalesce(known.evaluated_on >= spine.observed_on - 180, false)
        end as evaluates_competitor,
        case
            when feed.first_day <= spine.observed_on - 90 then coalesce(known.dropped_on >= spine.observed_on - 90, false)
        end as dropped_competitor_90d,
        known.last_signal_on
    from spine
    cross join feed
    left join known on spine.observation_id = known.observation_id
)

select * from final
