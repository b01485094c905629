{{ config(post_hook="{{ export_parquet('contributions_path', ['account_id', 'axis', 'attribute']) }}") }}

with accounts as (
    select * from {{ ref('int_account_scoring_inputs') }}
),

points as (
    select * from {{ ref('int_account_points') }}
),

points_table as (
    select * from {{ ref('int_published_points') }}
),

earned as (
    {% for column in var('scoring_columns') %}
    select
        points.account_id,
        '{{ column.axis }}' as axis,
        {{ sql_text(column.attribute) }} as attribute,
        {{ value_text('accounts.' ~ column.source_column) if column.source_column else 'points.' ~ column.bin }} as value_text,
        points.{{ column.bin }} as bin_key,
        points.{{ column.points }} as points
    from points
    inner join accounts on points.account_id = accounts.account_id
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        account_id,
        '' as axis,
        '' as attribute,
        '' as value_text,
        '' as bin_key,
        0 as points
    from points
    where false
    {% endfor %}
),

final as (
    select
        earned.account_id,
        earned.axis,
        earned.attribute,
        points_table.attribute_label,
        earned.value_text,
        earned.bin_key,
        points_table.bin_label,
        cast(earned.points as integer) as points,
        points_table.average_points
    from earned
    left join points_table
        on earned.axis = points_table.axis
        and earned.attribute = points_table.attribute
        and earned.bin_key = points_table.bin_key
)

select * from final
