with landed as (
    select * from {{ landed('contacts') }}
),

final as (
    select
        contact_id,
        account_id,

        buying_role,
        seniority,
        department,

        coalesce(is_deleted, false) as is_deleted,

        created_at,
        modified_at,

{{ load_columns() }}
    from landed
)

select * from final
