{% set columns = [('account_id', 'string'), ('fit_score', 'integer'), ('tier', 'string')] %}

with final as (
    select * from {{ published_rows(var('previous_accounts_path'), columns) }} as published
)

select * from final
