-- today's accounts by the ICP in force before: what the accounts' own changes did to their scores
with final as (
{{ scored_by(var('previous_scoring_sql'), ref('int_account_scoring_inputs')) }}
)

select
    account_id,
    fit_score,
    {{ tier_of('fit_score', var('previous_tiers') or var('tiers')) }} as tier
from final
