{{ config(post_hook="{{ export_parquet('left_out_path', ['quarter', 'exclusion']) }}") }}

with quarters as (
    select * from {{ ref('int_label_quarters') }}
),

left_out as (
    select
        exclusion,
        coalesce(decided_at, created_at) as dated_at
    from {{ ref('int_opportunities__resolved') }}
    where exclusion is not null
),

final as (
    -- A deal without any date belongs to no quarter and is counted all the same.
    select
        coalesce(quarters.quarter, '') as quarter,
        left_out.exclusion,
        count(*) as deals
    from left_out
    left join quarters on left_out.dated_at >= quarters.starts_at and left_out.dated_at < quarters.ends_at
    where quarters.quarter is not null or left_out.dated_at is null
    group by coalesce(quarters.quarter, ''), left_out.exclusion
)

select * from final
