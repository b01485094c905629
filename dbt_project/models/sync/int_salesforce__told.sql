select * from {{ told_before('sync_salesforce') }} as told
