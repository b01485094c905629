with features as (
    select * from {{ ref('fct_account_features') }} where role = 'score'
),

declared as (
    select * from {{ ref('fct_account_declared_attributes') }}
),

{% if var('population_path', '') %}
inside as (
    -- the accounts this ICP speaks of, chosen where outcomes were chosen too
    select * from {{ published_rows(var('population_path'), [('account_id', 'string')]) }} as published
),
{% endif %}

final as (
    select
        {% for name in own_attribute_names() %}
        declared.{{ name }},
        {% endfor %}
        features.*
    from features
    left join declared on features.observation_id = declared.observation_id
    {% if var('population_path', '') %}
    inner join inside on features.account_id = inside.account_id
    {% endif %}
)

select * from final
