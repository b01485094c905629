with landed as (
    select * from {{ landed('event_participation') }}
),

final as (
    select
        account_id,
        company_domain,

        website,
        event_name,
        lower(trim(participation)) as participation,

        occurred_on,

{{ load_columns() }}
    from landed
)

select * from final
