with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

final as (
    select
        attributes.observation_id,
        {{ term('markets', 'attributes.sells_to') }} as sells_to,
        {{ term('models', 'attributes.operating_model') }} as operating_model
    from attributes
    {{ join_terms('markets', 'sells_to', 'attributes.sells_to') }}
    {{ join_terms('models', 'operating_model', 'attributes.operating_model') }}
)

select * from final
