{{ config(post_hook="{{ export_parquet('features_path', ['observation_id']) }}") }}

{# Attributes by the model feat_account__<theme> they come from. #}
{% set themes = {
    'size': ['employees', 'annual_revenue'],
    'growth': ['employees_growth', 'annual_revenue_growth'],
    'industry': ['industry'],
    'location': ['country', 'region', 'metro'],
    'age': ['company_age_years'],
    'company': [
        'sells_to', 'operating_model', 'ownership', 'funding_stage', 'funding_total', 'months_since_funding',
        'has_own_domain', 'site_traffic', 'social_followers', 'technology_spend',
    ],
    'structure': ['is_subsidiary', 'parent_is_customer'],
    'technologies': ['technologies', 'technology_count', 'technology_maturity', 'technology_capabilities'],
    'technology_changes': ['technologies_added_90d', 'technologies_added_365d', 'technologies_dropped_90d', 'technologies_dropped_365d'],
    'events': ['events_365d', 'events_attended_365d', 'events_sponsored_365d'],
    'engagement': ['visits_30d', 'visits_90d', 'visits_trend', 'key_events_30d', 'key_events_90d', 'key_events_trend'],
    'page_interest': ['pricing_views_90d', 'product_views_90d', 'content_views_90d', 'first_touch_channel'],
    'competitors': ['uses_competitor', 'evaluates_competitor', 'dropped_competitor_90d'],
    'tenure': ['tenure_years'],
    'history': ['is_past_customer', 'has_churned_365d', 'lost_deals_before'],
    'links': ['is_referred', 'investor_links', 'customer_links', 'best_customer_links'],
    'contacts': ['contacts_known', 'buying_roles', 'buying_role_count', 'departments_known', 'senior_contact_share'],
} %}

with spine as (
    select * from {{ ref('int_account_observations') }}
)

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
    {% for theme, columns in themes.items() %}{% for column in columns %}
    {{ theme }}.{{ column }},
    {% endfor %}{% endfor %}
    attributes.source_load_id,
    attributes.source_row,
    attributes.known_at
from spine
left join {{ ref('int_account_attributes__as_of') }} as attributes on spine.observation_id = attributes.observation_id
left join {{ ref('int_won_deals__outcomes') }} as outcomes on spine.observation_id = outcomes.observation_id
{% for theme in themes %}
left join {{ ref('feat_account__' ~ theme) }} as {{ theme }} on spine.observation_id = {{ theme }}.observation_id
{% endfor %}
