with spine as (
    select * from {{ ref('int_account_observations') }}
),

versions as (
    -- of the records of a company the surviving one speaks first, of its versions the newest
    select
        aliases.account_id,
        versions.*,
        aliases.record_rank * 1000000 - versions.version_number as preference
    from {{ ref('int_account_versions') }} as versions
    inner join {{ ref('int_account_aliases') }} as aliases on versions.record_id = aliases.record_id
),

year_before as (
    select
        spine.observation_id,
        min_by(versions.employees, versions.preference) filter (where versions.employees >= 1) as employees,
        min_by(versions.annual_revenue, versions.preference) filter (where versions.annual_revenue > 0) as annual_revenue,
        min_by(coalesce(versions.currency, ''), versions.preference) filter (where versions.annual_revenue > 0) as currency,
        max(versions.valid_from) as known_at
    from spine
    inner join versions
        on spine.account_id = versions.account_id and versions.valid_from <= spine.observed_at - interval '365' day
    group by spine.observation_id
),

compared as (
    -- a column of last year's figures goes before the CRM's own history; revenues in two currencies do not compare; a
    -- record nobody touched since says what it said because nobody looked, which is no growth of 0 %
    {% set touched = "attributes.last_touched_at > spine.observed_at - interval '365' day" %}
    select
        spine.observation_id,
        spine.observed_at,
        attributes.employees,
        attributes.annual_revenue,
        coalesce(
            nullif(attributes.employees_year_ago, 0),
            case when {{ touched }} or attributes.employees <> year_before.employees then year_before.employees end
        ) as employees_before,
        coalesce(
            nullif(attributes.annual_revenue_year_ago, 0),
            case when ({{ touched }} or attributes.annual_revenue <> year_before.annual_revenue)
                and coalesce(attributes.currency, '') = year_before.currency then year_before.annual_revenue end
        ) as annual_revenue_before,
        year_before.known_at
    from spine
    left join {{ ref('int_account_attributes__as_of') }} as attributes on spine.observation_id = attributes.observation_id
    left join year_before on spine.observation_id = year_before.observation_id
)

select
    observation_id,
    observed_at,
    {% for figure, least in {'employees': 1, 'annual_revenue': 0}.items() %}
    case when {{ figure }} >= {{ least }} and {{ figure }}_before >= {{ least }} then
        round(100 * ({{ figure }} / nullif({{ figure }}_before, 0) - 1), 1) end as {{ figure }}_growth,
    {% endfor %}
    known_at
from compared
