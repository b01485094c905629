select observation_id
from {{ ref('fct_account_features') }}
where
    not coalesce(
        role = 'label' and is_won and (outcome_is_mature or '{{ var("label").kind }}' = 'good_customer'), false
    )
    and coalesce(
        cast(outcome_revenue as varchar),
        cast(outcome_gross_margin as varchar),
        cast(outcome_tenure_months as varchar),
        cast(outcome_expansion as varchar),
        cast(outcome_is_churned as varchar),
        cast(outcome_has_repeated as varchar),
        cast(outcome_nps as varchar),
        cast(outcome_csat as varchar),
        cast(outcome_cs_rating as varchar)
    ) is not null
