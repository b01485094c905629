with spine as (
    select * from {{ ref('int_account_observations') }}
),

attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
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
    -- a column of last year's figures goes before the CRM's own history; revenues in two currencies do not compare
    select
        spine.observation_id,
        spine.observed_at,
        attributes.employees,
        attributes.annual_revenue,
        coalesce(nullif(attributes.employees_year_ago, 0), year_before.employees) as employees_before,
        coalesce(
            nullif(attributes.annual_revenue_year_ago, 0),
            case when coalesce(attributes.currency, '') = year_before.currency then year_before.annual_revenue end
        ) as annual_revenue_before,
        year_before.known_at
    from spine
    left join attributes on spine.observation_id = attributes.observation_id
    left join year_before on spine.observation_id = year_before.observation_id
)

select
    observation_id,
    observed_at,
    case when employees >= 1 and employees_before >= 1 then round(100 * (employees / employees_before - 1), 1) end
    as employees_growth,
    case when annual_revenue >= 0 and annual_revenue_before > 0 then round(100 * (annual_revenue / annual_revenue_before - 1), 1) end
    as annual_revenue_growth,
    known_at
from compared
