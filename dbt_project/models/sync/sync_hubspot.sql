{{ config(post_hook="{{ export_parquet('sync_path', ['account_id']) }}") }}

with wanted as (
    -- in the CRM's own names and words; an empty value is one it should not hold
    select
        account_id,
        case tier when 'A' then 'tier_1' when 'B' then 'tier_2' when 'C' then 'tier_3' end as hs_ideal_customer_profile,
        case when is_icp_qualified and not do_not_contact then 'true' end as hs_is_target_account,
        cast(fit_score as varchar) as icp_fit_score,
        nullif(reasons, '') as icp_reasons,
        '{{ var("sync_version", "") }}' as icp_version,
        '{{ var("sync_scored_on", "") }}' as icp_scored_on
    from {{ ref('int_accounts__in_force') }}
    where tier is not null
),

told as (
    select * from {{ ref('int_hubspot__told') }}
),

final as (
    select wanted.*
    from wanted
    left join told on wanted.account_id = told.account_id
    where {{ differs_from_told('wanted', 'told', ['hs_ideal_customer_profile', 'hs_is_target_account', 'icp_fit_score', 'icp_reasons']) }}
)

select * from final
