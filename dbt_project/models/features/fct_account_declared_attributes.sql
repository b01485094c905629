{{ config(post_hook="{{ export_parquet('declared_path', ['observation_id']) }}") }}

with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

final as (
    select
        {% for attribute in var('declared_attributes') %}
        {{ attribute_value('attributes.' ~ attribute.name, attribute.kind) }} as {{ attribute.name }},
        {% endfor %}
        {% for column in added_columns() %}
        {{ attribute_value(column.feature ~ '.' ~ column.name, column.kind) }} as {{ column.name }},
        {% endfor %}
        attributes.observation_id
    from attributes
    {{ join_added_features('attributes') }}
)

select * from final
