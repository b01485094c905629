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
    -- a round dated after the observation was not known then, whatever record it stands on
    select
        spine.observation_id,
        {{ term('stages', 'attributes.funding_stage') }} as funding_stage,
        {{ term('owners', 'attributes.ownership') }} as ownership,
        case
            when attributes.funding_total >= 0
                then {{ in_reporting_currency('attributes.funding_total', 'attributes.currency') }}
        end as funding_total,
        case
            when attributes.last_funded_on < spine.observed_on
                then cast({{ months_between('attributes.last_funded_on', 'spine.observed_on') }} as double)
        end as months_since_funding
    from spine
    left join attributes on spine.observation_id = attributes.observation_id
    {{ join_terms('stages', 'funding_stage', 'attributes.funding_stage') }}
    {{ join_terms('owners', 'ownership', 'attributes.ownership') }}
    {{ join_account_rates() }}
)

select * from final
