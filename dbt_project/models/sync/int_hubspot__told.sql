select * from {{ told_before('sync_hubspot') }} as told
