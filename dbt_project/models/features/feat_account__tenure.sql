with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

final as (
    -- a month of revenue is known when the month is over
    select
        spine.observation_id,
        spine.observed_on,
        case
            when {{ last_day_of_month('customers.first_paid_month') }} < spine.observed_on then customers.first_paid_month
        end as first_paid_month,
        case
            when {{ last_day_of_month('customers.first_paid_month') }} < spine.observed_on
                then round({{ days_between('customers.first_paid_month', 'spine.observed_on') }} / 365.25, 2)
        end as tenure_years,
        coalesce(customers.first_won_at < spine.observed_at, false)
        or coalesce({{ last_day_of_month('customers.first_paid_month') }} < spine.observed_on, false) as is_customer
    from spine
    left join {{ ref('int_customers') }} as customers on spine.account_id = customers.account_id
)

select * from final
