-- Revenue in a currency without a rate would silently be missing from who the best customers are. Add the currency to
-- seeds/currency_rates.csv.
select
    revenue.currency,
    count(*) as invoices
from {{ ref('stg_files__revenue') }} as revenue
left join {{ ref('int_currency_rates__paired') }} as rates on upper(trim(revenue.currency)) = rates.currency
where
    rates.currency is null
    and coalesce(upper(trim(revenue.currency)), '') not in ('', upper('{{ var("reporting_currency") }}'))
group by revenue.currency
