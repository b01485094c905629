{{ config(post_hook="{{ export_parquet('sync_path', ['account_id']) }}") }}

{{ written_back(
    ref('int_hubspot__told'),
    tier='hs_ideal_customer_profile', tiers={'A': 'tier_1', 'B': 'tier_2', 'C': 'tier_3'},
    is_target='hs_is_target_account',
    score='icp_fit_score',
    reasons='icp_reasons',
    version='icp_version',
    scored_on='icp_scored_on',
) }}
