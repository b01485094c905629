{% set label = var('label') %}
{% set horizon_quarters = label.horizon_quarters | default(1, true) %}
{% set measure = label.measure | default('revenue') %}

with accounts as (
    select * from {{ ref('int_accounts__resolved') }} where '{{ label.kind }}' = 'best_customer'
),

horizons as (
    -- observed when the first quarter of the horizon starts; the outcome is known when its last quarter ends
    select
        closing.quarter as outcome_quarter,
        opening.starts_at as observed_at,
        {{ local_date('opening.starts_at') }} as first_day,
        {{ local_date('closing.ends_at') }} as end_day
    from {{ ref('int_label_quarters') }} as closing
    inner join {{ ref('int_label_quarters') }} as opening
        on closing.quarter_number - {{ horizon_quarters - 1 }} = opening.quarter_number
),

population as (
    select
        accounts.account_id,
        horizons.*
    from accounts
    cross join horizons
    where
        (accounts.created_at is null or accounts.created_at <= horizons.observed_at)
        and (accounts.deleted_at is null or accounts.deleted_at > horizons.observed_at)
),

measured as (
    select
        population.account_id,
        population.outcome_quarter,
        population.observed_at,
        coalesce({{ exact_sum('revenue.' ~ measure) }}, 0) as outcome_value
    from population
    left join {{ ref('int_revenue__monthly') }} as revenue
        on population.account_id = revenue.account_id
        and revenue.revenue_month >= population.first_day
        and revenue.revenue_month < population.end_day
    group by population.account_id, population.outcome_quarter, population.observed_at
),

final as (
    select
        account_id || '@' || outcome_quarter as observation_id,
        account_id,
        observed_at,
        outcome_quarter,
        outcome_value > 0
        and percent_rank() over (partition by outcome_quarter order by outcome_value desc, account_id asc)
        < {{ label.top_share | default(0.2) }} as is_won,
        outcome_value,
        true as outcome_is_mature
    from measured
)

select * from final
