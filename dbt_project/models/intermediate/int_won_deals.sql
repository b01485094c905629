-- won deals whose horizon is over and, where it is asked who became a good customer, the younger ones as far as known
with deals as (
    select * from {{ ref('int_label_observations__won') }}
    where is_won and (outcome_is_mature or '{{ var("label").kind }}' = 'good_customer')
),

final as (
    select
        deals.observation_id,
        deals.account_id,
        deals.outcome_is_mature as is_mature,
        opportunities.decided_at as won_at,
        cast(date_trunc('month', {{ local_date('opportunities.decided_at') }}) as date) as won_month
    from deals
    inner join {{ ref('int_opportunities__resolved') }} as opportunities
        on deals.observation_id = opportunities.opportunity_id
)

select * from final
