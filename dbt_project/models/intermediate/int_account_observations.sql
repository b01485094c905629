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
        outcome_value,
        outcome_is_mature,
        null as is_worked
    from labels

    union all

    select
        'score:' || accounts.account_id as observation_id,
        accounts.account_id,
        'score' as role,
        {{ as_of() }} as observed_at,
        null as outcome_quarter,
        null as is_won,
        null as outcome_value,
        null as outcome_is_mature,
        worked.account_id is not null as is_worked
    from accounts
    left join {{ ref('int_accounts__worked') }} as worked on accounts.account_id = worked.account_id
)

select * from final
