-- The migration table is the account list, counted.
with counted as (
    select coalesce(sum(accounts), 0) as accounts from {{ ref('fct_tier_migration') }}
),

listed as (
    select count(*) as accounts from {{ ref('fct_account_scores') }}
)

select
    counted.accounts as counted_accounts,
    listed.accounts as listed_accounts
from counted
cross join listed
where counted.accounts <> listed.accounts
