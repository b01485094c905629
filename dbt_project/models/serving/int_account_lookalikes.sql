with places as (
    select * from {{ ref('int_account_places') }}
),

same as (
    -- of several the first by name, a best customer before the others
    select
        place,
        count(*) as customers,
        substr(min(case when is_best then '0' else '1' end || name), 2) as example
    from places
    where is_present
    group by place
),

but_one as (
    select
        places.account_id,
        places.name,
        places.is_best,
        placed.attribute_label || coalesce(' (' || placed.bin_label || ')', '') as attribute_label,
        placed.points,
        replace(
            places.place,
            '|' || placed.attribute || '=' || placed.bin_key || '|', '|' || placed.attribute || '=?|'
        ) as others
    from places
    inner join {{ ref('fct_account_contributions') }} as placed
        on places.account_id = placed.account_id and placed.axis = 'fit'
    inner join {{ ref('fct_account_scores') }} as scores on places.account_id = scores.account_id
    where places.is_best or scores.is_icp_qualified
),

nearest as (
    -- the best customer that differs on one criterion only, by as few points as may be
    select
        mine.account_id,
        best_ones.name as example,
        mine.attribute_label as apart_in
    from but_one as mine
    inner join but_one as best_ones on mine.others = best_ones.others and best_ones.is_best
    where mine.account_id <> best_ones.account_id
    qualify row_number() over (
        partition by mine.account_id order by abs(mine.points - best_ones.points), best_ones.name, mine.attribute_label
    ) = 1
),

final as (
    select
        places.account_id,
        coalesce(same.customers, 0) as customers,
        coalesce(same.example, nearest.example) as example,
        case when same.place is null then nearest.apart_in end as apart_in
    from places
    left join same on places.place = same.place
    left join nearest on places.account_id = nearest.account_id
    where same.place is not null or nearest.account_id is not null
)

select * from final
