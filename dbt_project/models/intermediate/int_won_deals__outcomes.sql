{% set horizon_months = 3 * (var('label').horizon_quarters | default(4, true)) %}

with deals as (
    select * from {{ ref('int_won_deals') }}
),

opportunities as (
    select * from {{ ref('int_opportunities__resolved') }} where is_won and exclusion is distinct from 'deleted'
),

repeated as (
    select distinct deals.observation_id
    from deals
    inner join opportunities
        on deals.account_id = opportunities.account_id
        and deals.won_at < opportunities.decided_at
        and {{ months_between('deals.won_month', local_date('opportunities.decided_at')) }} <= {{ horizon_months }}
),

answered as (
    select
        deals.observation_id,
        avg(case when surveys.survey_kind = 'nps' then surveys.score end) as outcome_nps,
        avg(case when surveys.survey_kind = 'csat' then surveys.score end) as outcome_csat,
        avg(case when surveys.survey_kind = 'cs_rating' then surveys.score end) as outcome_cs_rating
    from deals
    inner join {{ ref('int_surveys__resolved') }} as surveys
        on deals.account_id = surveys.account_id
        and deals.won_at <= surveys.responded_at
        and {{ months_between('deals.won_month', local_date('surveys.responded_at')) }} <= {{ horizon_months }}
    group by deals.observation_id
),

final as (
    select
        deals.observation_id,
        revenue.outcome_revenue,
        revenue.outcome_gross_margin,
        revenue.outcome_tenure_months,
        revenue.outcome_expansion,
        revenue.outcome_is_churned,
        repeated.observation_id is not null as outcome_has_repeated,
        answered.outcome_nps,
        answered.outcome_csat,
        answered.outcome_cs_rating
    from deals
    left join {{ ref('int_won_deals__revenue') }} as revenue on deals.observation_id = revenue.observation_id
    left join repeated on deals.observation_id = repeated.observation_id
    left join answered on deals.observation_id = answered.observation_id
)

select * from final
