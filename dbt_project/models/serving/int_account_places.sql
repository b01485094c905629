with best as (
    -- the customers that paid most in the newest year
    select account_id from {{ ref('int_best_customers__monthly') }}
    qualify revenue_month = max(revenue_month) over ()
),

alike as (
    -- accounts in the same bin of every fit criterion cannot be told apart by the ICP
    select
        account_id,
        '|' || {{ listed_by("attribute || '=' || bin_key", "'|'", "order by attribute") }} || '|' as place
    from {{ ref('fct_account_contributions') }}
    where axis = 'fit'
    group by account_id
),

present as (
    select
        account_id,
        coalesce(account_name, account_id) as name,
        is_customer and not coalesce(is_past_customer, false) as is_present
    from {{ ref('int_account_scoring_inputs') }}
),

final as (
    select
        alike.account_id,
        alike.place,
        present.name,
        present.is_present,
        present.is_present and best.account_id is not null as is_best
    from alike
    inner join present on alike.account_id = present.account_id
    left join best on alike.account_id = best.account_id
)

select * from final
