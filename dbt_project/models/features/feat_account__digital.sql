with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

final as (
    -- a count below 0 is how vendors write "not known"
    select
        attributes.observation_id,
        attributes.company_domain is not null as has_own_domain,
        case when attributes.site_traffic >= 0 then attributes.site_traffic end as site_traffic,
        case when attributes.social_followers >= 0 then attributes.social_followers end as social_followers,
        case
            when attributes.technology_spend >= 0
                then {{ in_reporting_currency('attributes.technology_spend', 'attributes.currency') }}
        end as technology_spend
    from attributes
    {{ join_account_rates() }}
)

select * from final
