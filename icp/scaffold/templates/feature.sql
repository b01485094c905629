with spine as (
    select * from {{ ref('int_account_observations') }}
),

history as (
    -- an example: deals decided by the account; read any int_ or stg_ model with an account_id and a date instead
    select
        account_id,
        decided_at as happened_at,
        case when is_won then 'won' else 'lost' end as what
    from {{ ref('int_opportunities__resolved') }}
    where exclusion is null
),

final as (
    -- one row per observation, made only of what had happened by then
    select
        spine.observation_id,
        spine.observed_at,
        $expression as $name,
        max(history.happened_at) as newest_fact_at
    from spine
    left join history
        on spine.account_id = history.account_id
        and history.happened_at < spine.observed_at
    group by spine.observation_id, spine.observed_at
)

select * from final
