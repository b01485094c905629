with invoices as (
    -- a month is known when it is over
    select *
    from {{ ref('stg_files__revenue') }}
    where {{ last_day_of_month('revenue_month') }} < {{ local_date(as_of()) }}
    qualify row_number() over (
        partition by account_id, revenue_month, coalesce(invoice_id, '')
        order by
            {{ load_order('desc') }}
    ) = 1
),

final as (
    select
        aliases.account_id,
        invoices.revenue_month,
        {{ exact_sum(in_reporting_currency('invoices.revenue', 'invoices.currency')) }} as revenue,
        {{ exact_sum(in_reporting_currency('invoices.gross_margin', 'invoices.currency')) }} as gross_margin
    from invoices
    inner join {{ ref('int_account_aliases') }} as aliases on invoices.account_id = aliases.record_id
    {{ join_rates('rates', 'invoices.currency', 'invoices.revenue_month') }}
    where coalesce(invoices.invoice_status, '') not in ('void', 'voided', 'cancelled', 'canceled', 'draft')
    group by aliases.account_id, invoices.revenue_month
)

select * from final
