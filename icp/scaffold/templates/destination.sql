{{ config(post_hook="{{ export_destination(['account_id']) }}") }}

with scores as (
    select * from {{ ref('fct_account_scores') }}
),

final as (
    -- what $label is told of an account: leave out what its users may not see, name columns as it does
    select
        account_id,
        company_domain,
        fit_score,
        tier,
        priority,
        reasons,
        coalesce(
            tier is distinct from previous_tier or fit_score is distinct from previous_fit_score, false
        ) as is_changed
    from scores
    where tier is not null
)

select * from final
