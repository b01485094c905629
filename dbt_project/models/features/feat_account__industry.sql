with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

synonyms as (
    select * from {{ ref('industry_synonyms') }}
),

final as (
    select
        attributes.observation_id,
        coalesce(synonyms.industry, {{ tidy('attributes.industry') }}) as industry
    from attributes
    left join synonyms on {{ synonym_key('attributes.industry') }} = synonyms.industry_key
)

select * from final
