with revenue as (
    select * from {{ ref('int_revenue__monthly') }}
),

months as (
    select distinct revenue_month from revenue
),

trailing_year as (
    select
        months.revenue_month,
        revenue.account_id,
        {{ exact_sum('revenue.revenue') }} as revenue
    from months
    inner join revenue
        on revenue.revenue_month <= months.revenue_month
        and revenue.revenue_month > months.revenue_month - interval '12' month
    group by months.revenue_month, revenue.account_id
),

final as (
    -- the same share whatever the label is, so that "best" means the same to every ICP of the company
    select
        account_id,
        revenue_month,
        revenue
    from trailing_year
    where revenue > 0
    qualify percent_rank() over (partition by revenue_month order by revenue desc, account_id asc) < 0.2
)

select * from final
