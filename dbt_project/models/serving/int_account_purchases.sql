with bought as (
    select * from {{ ref('fct_account_features') }}
    where role = 'label' and is_won
    qualify row_number() over (partition by account_id order by observed_at desc, observation_id asc) = 1
),

final as (
    select
        {% for name in own_attribute_names() %}
        declared.{{ name }},
        {% endfor %}
        bought.*
    from bought
    left join {{ ref('fct_account_declared_attributes') }} as declared on bought.observation_id = declared.observation_id
)

select * from final
