{# Who is on which list and why, from the relations fct_account_lists reads: list, account_id, do_not_contact, detail. #}
{% macro list_rows() -%}
    select
        'look_alikes' as list,
        accounts.account_id,
        accounts.do_not_contact,
        case
            when alike.customers = 0
                then 'the same as the best customer ' || alike.example || ' on every criterion but ' || alike.apart_in
            else 'same on every criterion as ' || cast(alike.customers as {{ dbt.type_string() }})
                || case when alike.customers = 1 then ' customer: ' else ' customers, such as ' end || alike.example
        end as detail
    from accounts
    inner join {{ ref('int_account_lookalikes') }} as alike on accounts.account_id = alike.account_id
    where accounts.is_icp_qualified and not accounts.is_customer

    union all

    select
        'churned_fit' as list,
        accounts.account_id,
        accounts.do_not_contact,
        'last paid ' || cast(changes.last_paid_on as {{ dbt.type_string() }}) || '; '
        || case
            when changes.changes <> '' then changes.changes
            when changes.is_known_before then 'no change recorded since'
            else 'what it was then is not known'
        end as detail
    from accounts
    inner join {{ ref('int_account_changes__since_churn') }} as changes on accounts.account_id = changes.account_id
    where accounts.is_icp_qualified

    union all

    select
        'competitor_customers' as list,
        accounts.account_id,
        accounts.do_not_contact,
        'uses ' || used.competitors || ', last seen ' || cast(used.last_seen_on as {{ dbt.type_string() }}) as detail
    from accounts
    inner join {{ ref('int_account_competitors') }} as used on accounts.account_id = used.account_id
    where accounts.is_icp_qualified and accounts.uses_competitor
        and (not accounts.is_customer or accounts.is_past_customer)

    union all

    select
        'customers_no_longer_fit' as list,
        accounts.account_id,
        accounts.do_not_contact,
        concat_ws(
            '; ',
            case when fitted.was_qualified then 'tier ' || fitted.tier || ' on what it was when it bought' end,
            case when {{ is_qualified('accounts.previous_tier') }} then 'tier ' || accounts.previous_tier || ' in the ICP before' end
        ) as detail
    from accounts
    left join fitted on accounts.account_id = fitted.account_id
    where accounts.is_customer and not accounts.is_past_customer and not accounts.is_icp_qualified
        and (coalesce(fitted.was_qualified, false) or coalesce({{ is_qualified('accounts.previous_tier') }}, false))
{%- endmacro %}


{# Texts of a group in one, in order; `most` of them at most. #}
{% macro listed_by(text, comma, order, most=none) -%}
  {{ dbt.listagg(text, comma, order, most) }}
{%- endmacro %}
