with paid as (
    select
        account_id,
        min(revenue_month) as first_paid_month
    from {{ ref('int_revenue__monthly') }}
    where revenue > 0
    group by account_id
),

won as (
    select
        account_id,
        min(decided_at) as first_won_at
    from {{ ref('int_opportunities__resolved') }}
    where is_won and exclusion is distinct from 'deleted' and account_id is not null
    group by account_id
),

final as (
    -- a month of revenue is known when the month is over, a win on the day after; least() passes over what is empty
    select
        coalesce(won.account_id, paid.account_id) as account_id,
        won.first_won_at,
        paid.first_paid_month,
        least(
            {{ local_date('won.first_won_at') }} + 1,
            {{ last_day_of_month('paid.first_paid_month') }} + 1
        ) as customer_from
    from won
    full outer join paid on won.account_id = paid.account_id
)

select * from final
