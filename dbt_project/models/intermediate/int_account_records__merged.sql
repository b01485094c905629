{# Each pass doubles how far a chain of merges is followed: 4 passes follow 16 merges in a row. #}
{% set passes = 4 %}

with records as (
    select * from {{ ref('int_account_records__latest') }}
),

step_0 as (
    -- a merge into a record nobody landed cannot be followed
    select
        records.record_id,
        targets.record_id as next_id
    from records
    left join records as targets
        on records.merged_into_account_id = targets.record_id and records.record_id <> targets.record_id
),

{% for pass in range(passes) %}
step_{{ pass + 1 }} as (
    select
        step.record_id,
        coalesce(onward.next_id, step.next_id) as next_id
    from step_{{ pass }} as step
    left join step_{{ pass }} as onward on step.next_id = onward.record_id
),

{% endfor %}
final as (
    -- a chain that does not end at a surviving record is a circle: then every record stands for itself
    select
        walked.record_id,
        case when ends.next_id is null then coalesce(walked.next_id, walked.record_id) else walked.record_id end as survivor_id
    from step_{{ passes }} as walked
    left join step_0 as ends on walked.next_id = ends.record_id
)

select * from final
