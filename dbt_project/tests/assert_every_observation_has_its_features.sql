-- A join that dropped or doubled observations would change who the profile is made of.
select
    spine.observation_id,
    features.account_id
from {{ ref('int_account_observations') }} as spine
full outer join {{ ref('fct_account_features') }} as features on spine.observation_id = features.observation_id
where spine.observation_id is null or features.observation_id is null or features.is_backfilled is null
