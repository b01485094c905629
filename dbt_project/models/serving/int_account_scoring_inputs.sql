with features as (
    select * from {{ ref('fct_account_features') }} where role = 'score'
),

declared as (
    select * from {{ ref('fct_account_declared_attributes') }}
),

final as (
    select
        {% for name in own_attribute_names() %}
        declared.{{ name }},
        {% endfor %}
        features.*
    from features
    left join declared on features.observation_id = declared.observation_id
)

select * from final
