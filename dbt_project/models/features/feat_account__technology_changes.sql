with spine as (
    select * from {{ ref('int_account_observations') }}
),

changes as (
    -- gone is known when the grace window after the last sight has passed
    select
        account_id,
        first_detected_at as added_at,
        last_detected_at + interval '{{ technology_grace_days() }}' day as gone_at
    from {{ ref('int_technologies__resolved') }}
),

aged as (
    select
        spine.observation_id,
        spine.observed_at,
        changes.added_at,
        changes.added_at > spine.observed_at - interval '90' day as is_added_90d,
        changes.added_at > spine.observed_at - interval '365' day as is_added_365d,
        changes.gone_at < spine.observed_at and changes.gone_at >= spine.observed_at - interval '90' day as is_dropped_90d,
        changes.gone_at < spine.observed_at and changes.gone_at >= spine.observed_at - interval '365' day as is_dropped_365d
    from spine
    inner join changes on spine.account_id = changes.account_id and changes.added_at <= spine.observed_at
),

final as (
    -- a company the vendor had looked at has a row, with 0 where nothing changed
    select
        observation_id,
        observed_at,
        {% for change in ['added_90d', 'added_365d', 'dropped_90d', 'dropped_365d'] %}
        cast(sum(case when is_{{ change }} then 1 else 0 end) as double) as technologies_{{ change }},
        {% endfor %}
        max(added_at) as newest_added_at
    from aged
    group by observation_id, observed_at
)

select * from final
