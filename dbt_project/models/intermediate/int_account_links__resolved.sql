with links as (
    select
        coalesce(aliases.account_id, domains.account_id) as account_id,
        linked.account_id as linked_account_id,
        coalesce(terms.term, landed_links.link_kind) as link_kind,
        landed_links.known_on
    from {{ ref('stg_files__account_links') }} as landed_links
    {{ join_terms('terms', 'link_kind', 'landed_links.link_kind') }}
    left join {{ ref('int_account_aliases') }} as aliases on landed_links.account_id = aliases.record_id
    left join {{ ref('int_account_domains') }} as domains on landed_links.company_domain = domains.company_domain
    inner join {{ ref('int_account_aliases') }} as linked on landed_links.linked_account_id = linked.record_id
    where landed_links.known_on < {{ local_date(as_of()) }}
),

both_ways as (
    -- an investor, a board seat or a partnership ties both; a referral has a direction
    select * from links
    union all
    select
        linked_account_id as account_id,
        account_id as linked_account_id,
        link_kind,
        known_on
    from links
    where link_kind <> 'referral'
),

final as (
    select
        account_id,
        linked_account_id,
        link_kind,
        min(known_on) as known_on
    from both_ways
    where account_id is not null and account_id <> linked_account_id
    group by account_id, linked_account_id, link_kind
)

select * from final
