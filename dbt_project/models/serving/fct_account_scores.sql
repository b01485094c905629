{{ config(post_hook="{{ export_parquet('accounts_path', ['account_id']) }}") }}

with accounts as (
    select * from {{ ref('int_account_scoring_inputs') }}
),

points as (
    select
        *,
        {{ tier_of('fit_score', var('tiers')) }} as tier,
        {{ intent_level_of('intent_score', var('intent_levels')) }} as intent_level
    from {{ ref('int_account_points') }}
),

previous as (
    select * from {{ ref('int_published_accounts') }}
),

final as (
    select
        accounts.account_id,
        accounts.account_name,
        accounts.company_domain,
        accounts.is_customer,
        cast(points.fit_score as integer) as fit_score,
        cast(points.intent_score as integer) as intent_score,
        points.tier,
        {{ is_qualified('points.tier') }} as is_icp_qualified,
        coalesce(guarded.account_id is not null, false) as do_not_contact,
        points.tier || points.intent_level as priority,
        points.win_probability,
        points.expected_value,
        points.expected_value_low,
        points.expected_value_high,
        reasons.reasons,
        cast(previous.fit_score as integer) as previous_fit_score,
        previous.tier as previous_tier,
        {{ migration_cause('previous.tier', 'by_previous_icp.tier', 'points.tier') }} as migration_cause,
        accounts.industry,
        accounts.country,
        accounts.employees,
        accounts.known_at,
        accounts.source_load_id,
        accounts.source_row
    from points
    inner join accounts on points.account_id = accounts.account_id
    left join {{ ref('int_account_reasons') }} as reasons on points.account_id = reasons.account_id
    left join {{ ref('int_accounts__do_not_contact') }} as guarded on points.account_id = guarded.account_id
    left join previous on points.account_id = previous.account_id
    left join {{ ref('int_account_points__previous') }} as by_previous_icp
        on points.account_id = by_previous_icp.account_id
)

select * from final
