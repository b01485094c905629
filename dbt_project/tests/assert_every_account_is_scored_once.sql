-- Nobody falls out of the list on the way from features to scores. Only a run without a scoring statement has no scores.
select accounts.account_id
from {{ ref('int_account_scoring_inputs') }} as accounts
left join {{ ref('fct_account_scores') }} as scores on accounts.account_id = scores.account_id
where scores.account_id is null and {{ 'true' if var('scoring_sql') else 'false' }}
