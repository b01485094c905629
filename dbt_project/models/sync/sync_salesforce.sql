{{ config(post_hook="{{ export_parquet('sync_path', ['account_id']) }}") }}

{{ written_back(
    ref('int_salesforce__told'),
    tier='icp_tier__c', tiers={'A': 'A', 'B': 'B', 'C': 'C'},
    is_target='icp_is_target__c',
    score='icp_fit_score__c',
    reasons='icp_reasons__c',
    version='icp_version__c',
    scored_on='icp_scored_on__c',
) }}
