with signals as (
    select
        account_id,
        competitor,
        max(case when signal = 'uses' then occurred_on end) as used_on,
        max(case when signal = 'dropped' then occurred_on end) as dropped_on
    from {{ ref('int_competitor_signals__resolved') }}
    group by account_id, competitor
),

final as (
    -- used and not dropped since, as uses_competitor says
    select
        account_id,
        {{ listed_by("competitor", "', '", "order by competitor") }} as competitors,
        max(used_on) as last_seen_on
    from signals
    where used_on is not null and coalesce(dropped_on < used_on, true)
    group by account_id
)

select * from final
