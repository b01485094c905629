with spine as (
    select * from {{ ref('int_account_observations') }}
),

aliases as (
    select * from {{ ref('int_account_aliases') }}
),

versions as (
    select * from {{ ref('int_account_versions') }}
),

picked as (
    -- per record of the company: the newest version known at the observation, else the first one there is
    select
        spine.observation_id,
        aliases.record_id,
        aliases.record_rank,
        max(case when versions.valid_from <= spine.observed_at then versions.version_number end) as known_version,
        min(versions.version_number) as first_version
    from spine
    inner join aliases on spine.account_id = aliases.account_id
    inner join versions on aliases.record_id = versions.record_id
    group by spine.observation_id, aliases.record_id, aliases.record_rank
),

used as (
    -- a record not known yet says nothing beside one that is
    select
        observation_id,
        record_id,
        record_rank,
        known_version is null as is_backfilled,
        coalesce(known_version, first_version) as version_number
    from picked
    qualify known_version is not null or max(known_version) over (partition by observation_id) is null
),

final as (
    -- the surviving record speaks first; the others fill in what it leaves empty
    select
        used.observation_id,
        {% for attribute in account_attributes() %}
        min_by(versions.{{ attribute }}, used.record_rank) filter (where versions.{{ attribute }} is not null) as {{ attribute }},
        {% endfor %}
        min_by(used.is_backfilled, used.record_rank) as is_backfilled,
        max(versions.valid_from) as known_at,
        max(versions.stated_at) as last_touched_at,
        min_by(versions.load_id, used.record_rank) as source_load_id,
        min_by(versions.source_row, used.record_rank) as source_row
    from used
    inner join versions on used.record_id = versions.record_id and used.version_number = versions.version_number
    group by used.observation_id
)

select * from final
