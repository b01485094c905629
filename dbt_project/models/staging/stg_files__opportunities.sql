with landed as (
    select * from {{ landed('opportunities') }}
),

final as (
    select
        opportunity_id,
        account_id,

        opportunity_name,
        stage,
        opportunity_type,
        currency,

        amount,

        coalesce(is_closed, false) as is_closed,
        coalesce(is_won, false) as is_won,
        coalesce(is_deleted, false) as is_deleted,

        created_at,
        closed_at,
        modified_at,

{{ load_columns() }}
    from landed
)

select * from final
