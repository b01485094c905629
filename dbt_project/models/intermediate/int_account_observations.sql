with labels as (
    select * from {{ ref('int_label_observations__won') }}
    union all
    select * from {{ ref('int_label_observations__best_customer') }}
),

accounts as (
    select * from {{ ref('int_accounts__resolved') }} where not is_deleted
),

final as (
    select
        observation_id,
        account_id,
        'label' as role,
        observed_at,
        outcome_quarter,
        is_won,
        outcome_value
    from labels

    union all

    select
        'score:' || account_id as observation_id,
        account_id,
        'score' as role,
        {{ as_of() }} as observed_at,
        null as outcome_quarter,
        null as is_won,
        null as outcome_value
    from accounts
)

select * from final
