{{ config(post_hook="{{ export_parquet('lists_path', ['list', 'account_id']) }}") }}

with accounts as (
    select
        scores.*,
        coalesce(inputs.is_past_customer, false) as is_past_customer,
        coalesce(inputs.uses_competitor, false) as uses_competitor
    from {{ ref('fct_account_scores') }} as scores
    inner join {{ ref('int_account_scoring_inputs') }} as inputs on scores.account_id = inputs.account_id
),

fitted as (
    select
        *,
        {{ is_qualified('tier') }} as was_qualified
    from {{ ref('int_account_points__at_purchase') }}
),

chosen as (
{{ list_rows() }}
),

final as (
    -- the guard: nobody who asked not to be contacted is on a list for outreach
    select
        list,
        account_id,
        detail
    from chosen
    where not do_not_contact or list = 'customers_no_longer_fit'

    union all

    select
        'do_not_contact' as list,
        account_id,
        'kept off ' || {{ listed_by("list", "', '", "order by list") }} as detail
    from chosen
    where do_not_contact and list <> 'customers_no_longer_fit'
    group by account_id
)

select * from final
