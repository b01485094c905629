with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

countries as (
    select * from {{ ref('country_synonyms') }}
),

regions as (
    select * from {{ ref('region_synonyms') }}
),

located as (
    select
        attributes.observation_id,
        attributes.region,
        attributes.metro,
        coalesce(countries.country, {{ tidy('attributes.country') }}) as country
    from attributes
    left join countries on {{ synonym_key('attributes.country') }} = countries.country_key
),

final as (
    select
        located.observation_id,
        located.country,
        coalesce(regions.region, {{ tidy('located.region') }}) as region,
        {{ tidy('located.metro') }} as metro
    from located
    left join regions
        on located.country = regions.country and {{ synonym_key('located.region') }} = regions.region_key
)

select * from final
