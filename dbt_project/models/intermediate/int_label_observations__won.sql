{% set label = var('label') %}
{% set horizon_quarters = label.horizon_quarters | default(4, true) %}

with decided as (
    select * from {{ ref('int_opportunities__resolved') }}
    where exclusion is null and '{{ label.kind }}' in ('won', 'good_customer')
),

quarters as (
    select * from {{ ref('int_label_quarters') }}
),

final as (
    -- A deal entered after it was decided is observed when it was decided, never later. Whether a customer is a good one
    -- is known when the horizon after the quarter of the deal is over; lost deals wait as long, so that quarters compare.
    select
        decided.opportunity_id as observation_id,
        decided.account_id,
        least(decided.created_at, decided.decided_at) as observed_at,
        {{ 'mature' if label.kind == 'good_customer' else 'quarters' }}.quarter as outcome_quarter,
        decided.is_won,
        case when decided.is_won then decided.amount end as outcome_value,
        mature.quarter is not null as outcome_is_mature
    from decided
    inner join quarters on decided.decided_at >= quarters.starts_at and decided.decided_at < quarters.ends_at
    left join quarters as mature on quarters.quarter_number + {{ horizon_quarters }} = mature.quarter_number
)

select * from final
