with spine as (
    select * from {{ ref('int_account_observations') }}
),

technologies as (
    select * from {{ ref('int_technologies__resolved') }}
),

seen as (
    -- technology vendors give first and last sight, so the stack of any day can be told; "last seen" is the last crawl
    select
        spine.observation_id,
        spine.observed_at,
        technologies.*,
        technologies.last_detected_at + interval '{{ technology_grace_days() }}' day >= spine.observed_at as is_used
    from spine
    inner join technologies
        on spine.account_id = technologies.account_id and technologies.first_detected_at <= spine.observed_at
),

capabilities as (
    select
        observation_id,
        capability,
        max(case when is_used then weight end) as weight
    from seen
    where capability is not null
    group by observation_id, capability
),

maturity as (
    select
        observation_id,
        {{ exact_sum('coalesce(weight, 0)') }} as technology_maturity,
        count(weight) as technology_capabilities
    from capabilities
    group by observation_id
),

final as (
    -- a company that was looked at and uses nothing has "||"; one never looked at has null
    select
        seen.observation_id,
        seen.observed_at,
        '|' || coalesce({{ ordered_list('seen.technology', '|', 'seen.is_used') }} || '|', '|') as technologies,
        cast(sum(case when seen.is_used then 1 else 0 end) as double) as technology_count,
        max(coalesce(maturity.technology_maturity, 0)) as technology_maturity,
        cast(max(coalesce(maturity.technology_capabilities, 0)) as double) as technology_capabilities,
        max(seen.first_detected_at) as newest_detected_at
    from seen
    left join maturity on seen.observation_id = maturity.observation_id
    group by seen.observation_id, seen.observed_at
)

select * from final
