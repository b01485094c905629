{{ config(post_hook="{{ export_parquet('sync_path', ['account_id']) }}") }}

with wanted as (
    -- in the CRM's own names and words; an empty value is one it should not hold
    select
        account_id,
        case tier when 'A' then 'A' when 'B' then 'B' when 'C' then 'C' end as icp_tier__c,
        case when is_icp_qualified and not do_not_contact then 'true' end as icp_is_target__c,
        cast(fit_score as varchar) as icp_fit_score__c,
        nullif(reasons, '') as icp_reasons__c,
        '{{ var("sync_version", "") }}' as icp_version__c,
        '{{ var("sync_scored_on", "") }}' as icp_scored_on__c
    from {{ ref('int_accounts__in_force') }}
    where tier is not null
),

told as (
    select * from {{ ref('int_salesforce__told') }}
),

final as (
    select wanted.*
    from wanted
    left join told on wanted.account_id = told.account_id
    where {{ differs_from_told('wanted', 'told', ['icp_tier__c', 'icp_is_target__c', 'icp_fit_score__c', 'icp_reasons__c']) }}
)

select * from final
