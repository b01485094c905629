with participations as (
    select *
    from {{ ref('stg_files__event_participation') }}
    where occurred_on < {{ local_date(as_of()) }}
),

final as (
    -- attended and sponsored the same event on the same day: one event, the stronger of the two
    select
        coalesce(aliases.account_id, domains.account_id) as account_id,
        lower(trim(participations.event_name)) as event_name,
        participations.occurred_on,
        max(participations.participation) as participation
    from participations
    left join {{ ref('int_account_aliases') }} as aliases on participations.account_id = aliases.record_id
    left join {{ ref('int_account_domains') }} as domains on participations.company_domain = domains.company_domain
    where coalesce(aliases.account_id, domains.account_id) is not null
    group by
        coalesce(aliases.account_id, domains.account_id),
        lower(trim(participations.event_name)),
        participations.occurred_on
)

select * from final
