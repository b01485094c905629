-- A deal in a currency without a rate has no value in any figure. Add the currency to seeds/currency_rates.csv.
{{ config(severity='warn') }}

select
    opportunities.currency,
    count(*) as deals
from {{ ref('stg_files__opportunities') }} as opportunities
left join {{ ref('int_currency_rates__paired') }} as rates on upper(trim(opportunities.currency)) = rates.currency
where
    rates.currency is null
    and opportunities.amount is not null
    and coalesce(upper(trim(opportunities.currency)), '') not in ('', upper('{{ var("reporting_currency") }}'))
group by opportunities.currency
