with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

revenue as (
    select * from {{ ref('int_revenue__monthly') }} where revenue > 0
),

feed as (
    select min(revenue_month) as first_month from revenue
),

paid as (
    select
        spine.observation_id,
        max({{ last_day_of_month('revenue.revenue_month') }}) as last_paid_on
    from spine
    inner join revenue
        on spine.account_id = revenue.account_id and {{ last_day_of_month('revenue.revenue_month') }} < spine.observed_on
    group by spine.observation_id
),

lost as (
    select
        spine.observation_id,
        count(*) as lost_deals
    from spine
    inner join {{ ref('int_opportunities__resolved') }} as deals
        on spine.account_id = deals.account_id and deals.decided_at < spine.observed_at
    where deals.exclusion is null and not deals.is_won
    group by spine.observation_id
),

final as (
    -- a customer is gone once a quarter has passed without a paid month; with no revenue feed nobody can tell
    select
        spine.observation_id,
        spine.observed_on,
        case when feed.first_month is not null then coalesce(paid.last_paid_on < spine.observed_on - 92, false) end
        as is_past_customer,
        case
            when feed.first_month is not null
                then coalesce(paid.last_paid_on between spine.observed_on - 457 and spine.observed_on - 93, false)
        end as has_churned_365d,
        cast(coalesce(lost.lost_deals, 0) as double) as lost_deals_before,
        paid.last_paid_on
    from spine
    cross join feed
    left join paid on spine.observation_id = paid.observation_id
    left join lost on spine.observation_id = lost.observation_id
)

select * from final
