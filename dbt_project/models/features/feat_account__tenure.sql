with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

paid as (
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
    where is_won and exclusion is distinct from 'deleted'
    group by account_id
),

final as (
    -- a month of revenue is known when the month is over
    select
        spine.observation_id,
        spine.observed_on,
        case
            when {{ last_day_of_month('paid.first_paid_month') }} < spine.observed_on then paid.first_paid_month
        end as first_paid_month,
        case
            when {{ last_day_of_month('paid.first_paid_month') }} < spine.observed_on
                then round({{ days_between('paid.first_paid_month', 'spine.observed_on') }} / 365.25, 2)
        end as tenure_years,
        coalesce(won.first_won_at < spine.observed_at, false)
        or coalesce({{ last_day_of_month('paid.first_paid_month') }} < spine.observed_on, false) as is_customer
    from spine
    left join paid on spine.account_id = paid.account_id
    left join won on spine.account_id = won.account_id
)

select * from final
