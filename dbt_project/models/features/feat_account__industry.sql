with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

synonyms as (
    select * from {{ ref('industry_synonyms') }}
),

coded as (
    select
        observation_id,
        {{ code_digits('industry') }} as digits
    from attributes
),

named as (
    -- SIC codes have four digits; of NAICS and SIC alike the longest prefix the seed knows is meant
    select
        coded.observation_id,
        codes.industry
    from coded
    inner join {{ ref('industry_codes') }} as codes
        on codes.code = substr(coded.digits, 1, length(codes.code))
        and codes.code_system = case when length(coded.digits) = 4 then 'sic' else 'naics' end
    where length(coded.digits) between 2 and 6
    qualify row_number() over (partition by coded.observation_id order by length(codes.code) desc) = 1
),

final as (
    select
        attributes.observation_id,
        coalesce(synonyms.industry, named.industry, {{ tidy('attributes.industry') }}) as industry
    from attributes
    left join synonyms on {{ synonym_key('attributes.industry') }} = synonyms.industry_key
    left join named on attributes.observation_id = named.observation_id
)

select * from final
