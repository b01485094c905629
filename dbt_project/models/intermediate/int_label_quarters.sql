{% set quarters = var('quarters') %}

with final as (
    {% for quarter in quarters %}
    select
        {{ loop.index }} as quarter_number,
        '{{ quarter.label }}' as quarter,
        cast('{{ quarter.start }}' as timestamp) as starts_at,
        cast('{{ quarter.end }}' as timestamp) as ends_at
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        0 as quarter_number,
        '' as quarter,
        {{ as_of() }} as starts_at,
        {{ as_of() }} as ends_at
    where false
    {% endfor %}
)

select * from final
