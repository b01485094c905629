with accounts as (
    select
        *,
        coalesce(modified_at, effective_at) as stated_at
    from {{ ref('stg_files__accounts') }}
),

numbered as (
    select
        *,
        row_number() over history as version_number,
        lag(stated_at) over history as previous_stated_at
    from accounts
    where stated_at <= {{ as_of() }} and (created_at is null or created_at <= {{ as_of() }})
    window history as (partition by account_id order by stated_at, {{ load_order() }})
),

final as (
    select
        account_id as record_id,
        version_number,
        merged_into_account_id,
        {% for attribute in account_attributes() %}
        {{ attribute }},
        {% endfor %}
        is_deleted,

        created_at,
        stated_at,
        -- the same record under the same stamp may come again in a later load with other values (an enrichment that does
        -- not touch the stamp): those count from that load on, not from the stamp
        case when stated_at = previous_stated_at then greatest(stated_at, effective_at) else stated_at end as valid_from,

        load_id,
        source_row
    from numbered
)

select * from final
