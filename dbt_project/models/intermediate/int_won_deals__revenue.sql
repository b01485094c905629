{% set horizon_months = 3 * (var('label').horizon_quarters | default(4, true)) %}

with billed as (
    select max(revenue_month) as last_month from {{ ref('int_revenue__monthly') }}
),

months as (
    select
        deals.observation_id,
        deals.is_mature,
        {{ months_between('deals.won_month', 'billed.last_month') }} as last_billed_month,
        revenue.revenue,
        revenue.gross_margin,
        {{ months_between('deals.won_month', 'revenue.revenue_month') }} as month_number
    from {{ ref('int_won_deals') }} as deals
    inner join {{ ref('int_revenue__monthly') }} as revenue
        on deals.account_id = revenue.account_id and deals.won_month <= revenue.revenue_month
    cross join billed
),

summed as (
    select
        observation_id,
        {{ exact_sum('revenue') }} as outcome_revenue,
        {{ exact_sum('gross_margin') }} as outcome_gross_margin,
        max(case when revenue > 0 then month_number end) as outcome_tenure_months,
        max(is_mature) as is_mature,
        max(least(last_billed_month, {{ horizon_months }})) as billed_months,
        {{ exact_sum('case when month_number between 1 and 3 then revenue else 0 end') }} as first_revenue,
        {{ exact_sum('case when month_number > ' ~ (horizon_months - 3) ~ ' then revenue else 0 end') }} as last_revenue
    from months
    -- where billing has not landed up to the end of a horizon that is over, no payment is not churn: nothing is known
    where month_number <= {{ horizon_months }} and (last_billed_month >= {{ horizon_months }} or not is_mature)
    group by observation_id
),

final as (
    -- of a customer who was never billed nothing is known
    select
        observation_id,
        outcome_revenue,
        outcome_gross_margin,
        outcome_tenure_months,
        case when first_revenue > 0 and is_mature then last_revenue / first_revenue end as outcome_expansion,
        outcome_tenure_months <= billed_months - 3 as outcome_is_churned
    from summed
    where outcome_tenure_months is not null
)

select * from final
