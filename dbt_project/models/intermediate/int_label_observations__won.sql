with decided as (
    select * from {{ ref('int_opportunities__resolved') }}
    where exclusion is null and '{{ var("label").kind }}' = 'won'
),

quarters as (
    select * from {{ ref('int_label_quarters') }}
),

final as (
    -- a deal entered after it was decided is observed when it was decided, never later
    select
        decided.opportunity_id as observation_id,
        decided.account_id,
        least(decided.created_at, decided.decided_at) as observed_at,
        quarters.quarter as outcome_quarter,
        decided.is_won,
        case when decided.is_won then decided.amount end as outcome_value
    from decided
    inner join quarters on decided.decided_at >= quarters.starts_at and decided.decided_at < quarters.ends_at
)

select * from final
