{{ config(post_hook="{{ export_parquet('features_path', ['observation_id']) }}") }}

with spine as (
    select * from {{ ref('int_account_observations') }}
),

final as (
    select
        spine.observation_id,
        spine.account_id,
        attributes.account_name,
        attributes.company_domain,
        spine.role,
        spine.observed_at,
        spine.outcome_quarter,
        spine.is_won,
        cast(spine.outcome_value as double) as outcome_value,
        cast(spine.outcome_is_mature as boolean) as outcome_is_mature,
        {{ outcome_facts('outcomes') }},
        cast(spine.is_worked as boolean) as is_worked,
        attributes.is_backfilled,
        tenure.is_customer,

        size.employees,
        size.annual_revenue,
        industry.industry,
        location.country,
        location.region,
        age.company_age_years,
        technologies.technologies,
        technologies.technology_count,
        technologies.technology_maturity,
        events.events_365d,
        engagement.visits_30d,
        engagement.visits_90d,
        engagement.key_events_90d,
        tenure.tenure_years,

        attributes.source_load_id,
        attributes.source_row,
        attributes.known_at
    from spine
    left join {{ ref('int_account_attributes__as_of') }} as attributes on spine.observation_id = attributes.observation_id
    left join {{ ref('int_won_deals__outcomes') }} as outcomes on spine.observation_id = outcomes.observation_id
    left join {{ ref('feat_account__size') }} as size on spine.observation_id = size.observation_id
    left join {{ ref('feat_account__industry') }} as industry on spine.observation_id = industry.observation_id
    left join {{ ref('feat_account__location') }} as location on spine.observation_id = location.observation_id
    left join {{ ref('feat_account__age') }} as age on spine.observation_id = age.observation_id
    left join {{ ref('feat_account__technologies') }} as technologies
        on spine.observation_id = technologies.observation_id
    left join {{ ref('feat_account__events') }} as events on spine.observation_id = events.observation_id
    left join {{ ref('feat_account__engagement') }} as engagement on spine.observation_id = engagement.observation_id
    left join {{ ref('feat_account__tenure') }} as tenure on spine.observation_id = tenure.observation_id
)

select * from final
