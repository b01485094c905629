-- A merge that led to a record which itself gave way would lose the deals and visits of the merged one.
select merge_log.*
from {{ ref('int_account_merges') }} as merge_log
left join {{ ref('int_accounts__resolved') }} as accounts on merge_log.surviving_account_id = accounts.account_id
where accounts.account_id is null
