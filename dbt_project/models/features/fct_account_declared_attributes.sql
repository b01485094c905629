{{ config(post_hook="{{ export_parquet('declared_path', ['observation_id']) }}") }}

with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

final as (
    select
        {% for attribute in var('declared_attributes') %}
        {% if attribute.kind == 'set' %}
        '|' || trim(both '|' from {{ attribute.name }}) || '|' as {{ attribute.name }},
        {% elif attribute.kind == 'category' %}
        nullif(trim({{ attribute.name }}), '') as {{ attribute.name }},
        {% else %}
        {{ attribute.name }},
        {% endif %}
        {% endfor %}
        observation_id
    from attributes
)

select * from final
