-- What is explained must be what is published.
with sums as (
    select
        account_id,
        sum(case when axis = 'fit' then points else 0 end) as fit_points,
        sum(case when axis = 'intent' then points else 0 end) as intent_points
    from {{ ref('fct_account_contributions') }}
    group by account_id
)

select scores.*
from {{ ref('fct_account_scores') }} as scores
left join sums on scores.account_id = sums.account_id
where
    scores.fit_score <> coalesce(sums.fit_points, 0)
    or scores.intent_score <> coalesce(sums.intent_points, 0)
