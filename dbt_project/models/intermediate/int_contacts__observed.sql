with spine as (
    select * from {{ ref('int_account_observations') }}
),

contacts as (
    select * from {{ ref('int_contacts__versions') }}
),

final as (
    -- each contact as it stood at the observation
    select
        spine.observation_id,
        contacts.contact_id,
        replace(lower(contacts.buying_role), '|', ' ') as buying_role,
        contacts.seniority,
        contacts.seniority in ('Owner', 'Executive', 'Vice president', 'Director') as is_senior,
        contacts.department,
        contacts.valid_from
    from spine
    inner join contacts
        on spine.account_id = contacts.account_id
        and contacts.valid_from <= spine.observed_at
        and coalesce(contacts.valid_to > spine.observed_at, true)
    where not contacts.is_deleted
)

select * from final
