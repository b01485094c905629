with landed as (
    select * from {{ landed('account_links') }}
),

final as (
    select
        account_id,
        company_domain,
        linked_account_id,

        website,
        lower(trim(link_kind)) as link_kind,

        known_on,

{{ load_columns() }}
    from landed
)

select * from final
