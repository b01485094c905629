with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

final as (
    -- a count below 0 is how vendors write "not known"; a round dated after the observation was not known then
    select
        spine.observation_id,
        {{ term('markets', 'attributes.sells_to') }} as sells_to,
        {{ term('models', 'attributes.operating_model') }} as operating_model,
        {{ term('owners', 'attributes.ownership') }} as ownership,
        {{ term('stages', 'attributes.funding_stage') }} as funding_stage,
        {% for amount in ['funding_total', 'technology_spend'] %}
        case
            when attributes.{{ amount }} >= 0 then {{ in_reporting_currency('attributes.' ~ amount, 'attributes.currency') }}
        end as {{ amount }},
        {% endfor %}
        case
            when attributes.last_funded_on < spine.observed_on
                then cast({{ months_between('attributes.last_funded_on', 'spine.observed_on') }} as double)
        end as months_since_funding,
        attributes.company_domain is not null as has_own_domain,
        case when attributes.site_traffic >= 0 then attributes.site_traffic end as site_traffic,
        case when attributes.social_followers >= 0 then attributes.social_followers end as social_followers
    from spine
    left join attributes on spine.observation_id = attributes.observation_id
    {{ join_terms('markets', 'sells_to', 'attributes.sells_to') }}
    {{ join_terms('models', 'operating_model', 'attributes.operating_model') }}
    {{ join_terms('owners', 'ownership', 'attributes.ownership') }}
    {{ join_terms('stages', 'funding_stage', 'attributes.funding_stage') }}
    {{ join_account_rates() }}
)

select * from final
