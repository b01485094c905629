with spine as (
    select * from {{ ref('int_account_observations') }}
),

attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

aged as (
    select
        spine.observation_id,
        attributes.founded_year,
        extract(year from spine.observed_at) - attributes.founded_year as years
    from spine
    left join attributes on spine.observation_id = attributes.observation_id
),

final as (
    -- a company founded after it was observed, or in the Middle Ages, is a typing error
    select
        observation_id,
        case when years >= 0 and founded_year >= 1600 then cast(years as double) end as company_age_years
    from aged
)

select * from final
