with opened as (
    select min(starts_at) as starts_at from {{ ref('int_label_quarters') }}
),

final as (
    -- new business only: a renewal says nothing about who was prospected
    select distinct opportunities.account_id
    from {{ ref('int_opportunities__resolved') }} as opportunities
    cross join opened
    where
        '{{ var("label").kind }}' in ('won', 'good_customer')
        and (opportunities.exclusion is null or opportunities.exclusion = 'open')
        and coalesce(opportunities.decided_at, opportunities.created_at) >= opened.starts_at
)

select * from final
