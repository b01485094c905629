{{ config(post_hook="{{ export_parquet('migration_path', ['previous_tier', 'tier', 'migration_cause']) }}") }}

with scores as (
    select * from {{ ref('fct_account_scores') }}
),

final as (
    select
        previous_tier,
        tier,
        migration_cause,
        cast(count(*) as bigint) as accounts
    from scores
    group by previous_tier, tier, migration_cause
)

select * from final
