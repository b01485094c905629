with sightings as (
    -- extracts repeat themselves: the same technology on several hosts of a company, or in several loads, is one
    -- technology from first to last sight
    select
        company_domain,
        technology,
        min(first_detected_at) as first_detected_at,
        max(coalesce(last_detected_at, greatest(first_detected_at, effective_at))) as last_detected_at
    from {{ ref('stg_files__technologies') }}
    where first_detected_at <= {{ as_of() }} and company_domain is not null
    group by company_domain, technology
),

named as (
    select
        *,
        {{ synonym_key('technology') }} as technology_key,
        lower(trim(replace(technology, '|', ' '))) as given_name
    from sightings
),

final as (
    select
        domains.account_id,
        named.technology_key,
        min(lower(coalesce(weights.technology, named.given_name))) as technology,
        min(weights.capability) as capability,
        min(weights.weight) as weight,
        min(named.first_detected_at) as first_detected_at,
        max(named.last_detected_at) as last_detected_at
    from named
    inner join {{ ref('int_account_domains') }} as domains on named.company_domain = domains.company_domain
    left join {{ ref('technology_weights') }} as weights on named.technology_key = weights.technology_key
    group by domains.account_id, named.technology_key
)

select * from final
