with spine as (
    select * from {{ ref('int_account_observations') }}
),

feed as (
    select min(valid_from) as first_at from {{ ref('int_contacts__versions') }}
),

known as (
    select * from {{ ref('int_contacts__observed') }}
),

roles as (
    select distinct
        observation_id,
        buying_role
    from known
    where buying_role is not null
),

role_lists as (
    select
        observation_id,
        '|' || {{ ordered_list('buying_role', '|', 'true') }} || '|' as buying_roles,
        count(*) as buying_role_count
    from roles
    group by observation_id
),

counted as (
    select
        observation_id,
        count(*) as contacts_known,
        count(distinct department) as departments_known,
        round(100.0 * sum(case when is_senior then 1 else 0 end) / nullif(count(seniority), 0), 1) as senior_contact_share,
        max(valid_from) as last_changed_at
    from known
    group by observation_id
),

final as (
    -- nobody known is 0 and no role once contacts are kept at all; a mix needs somebody
    select
        spine.observation_id,
        spine.observed_at,
        case when feed.first_at <= spine.observed_at then cast(coalesce(counted.contacts_known, 0) as double) end as contacts_known,
        case when feed.first_at <= spine.observed_at then coalesce(role_lists.buying_roles, '||') end as buying_roles,
        case when feed.first_at <= spine.observed_at then cast(coalesce(role_lists.buying_role_count, 0) as double) end
        as buying_role_count,
        case when feed.first_at <= spine.observed_at then cast(coalesce(counted.departments_known, 0) as double) end
        as departments_known,
        counted.senior_contact_share,
        counted.last_changed_at
    from spine
    cross join feed
    left join counted on spine.observation_id = counted.observation_id
    left join role_lists on spine.observation_id = role_lists.observation_id
)

select * from final
