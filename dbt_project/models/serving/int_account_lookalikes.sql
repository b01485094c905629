with alike as (
    -- accounts in the same bin of every fit criterion cannot be told apart by the ICP
    select
        account_id,
        {{ listed_by("attribute || '=' || bin_key", "' & '", "order by attribute") }} as signature
    from {{ ref('fct_account_contributions') }}
    where axis = 'fit'
    group by account_id
),

customers as (
    select
        alike.signature,
        count(*) as customers,
        min(coalesce(inputs.account_name, inputs.account_id)) as example
    from alike
    inner join {{ ref('int_account_scoring_inputs') }} as inputs on alike.account_id = inputs.account_id
    where inputs.is_customer and not coalesce(inputs.is_past_customer, false)
    group by alike.signature
),

final as (
    select
        alike.account_id,
        customers.customers,
        customers.example
    from alike
    inner join customers on alike.signature = customers.signature
)

select * from final
