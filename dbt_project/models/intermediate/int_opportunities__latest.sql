with versions as (
    select
        *,
        coalesce(modified_at, effective_at) as stated_at
    from {{ ref('stg_files__opportunities') }}
),

latest as (
    -- a deal counts as it stands now: a re-opened one is open, a deleted one is gone, a back-dated one is where it was put
    select
        *,
        min(case when is_closed then stated_at end) over (partition by opportunity_id) as first_seen_closed_at
    from versions
    where stated_at <= {{ as_of() }}
    qualify row_number() over (
        partition by opportunity_id
        order by
            stated_at desc, {{ load_order('desc') }}
    ) = 1
),

final as (
    select
        opportunity_id,
        account_id as record_id,
        opportunity_name,
        opportunity_type,
        currency,
        amount,
        is_closed and coalesce(closed_at, first_seen_closed_at) <= {{ as_of() }} as is_decided,
        is_won,
        is_deleted,
        created_at,
        coalesce(closed_at, first_seen_closed_at) as decided_at,
        load_id,
        source_row
    from latest
    where created_at <= {{ as_of() }} or created_at is null
)

select * from final
