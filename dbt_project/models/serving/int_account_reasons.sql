{# How many reasons a rep reads. #}
{% set reasons = 4 %}

with contributions as (
    select
        earned.*,
        points_table.kind,
        points_table.member,
        cast(round(earned.points - earned.average_points) as integer) as points_above_average
    from {{ ref('fct_account_contributions') }} as earned
    left join {{ ref('int_published_points') }} as points_table
        on earned.axis = points_table.axis
        and earned.attribute = points_table.attribute
        and earned.bin_key = points_table.bin_key
    where earned.axis = 'fit'
),

ranked as (
    -- what sets the account apart most, up or down
    select
        account_id,
        {{ reason_text() }} as reason,
        row_number() over (
            partition by account_id order by abs(points - average_points) desc, attribute asc
        ) as reason_rank,
        points_above_average
    from contributions
),

final as (
    -- a criterion on which the account is like the average is no reason, unless nothing else is
    select
        account_id,
        {% for rank in range(1, reasons + 1) %}
        {% if not loop.first %}|| {% endif %}coalesce({{ "'; ' || " if not loop.first }}max(
            case when reason_rank = {{ rank }} and (points_above_average <> 0 or reason_rank = 1) then reason end
        ), '')
        {%- endfor %} as reasons
    from ranked
    group by account_id
)

select * from final
