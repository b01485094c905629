with rates as (
    select
        upper(trim(currency)) as currency,
        usd_per_unit,
        valid_from,
        row_number() over (partition by upper(trim(currency)) order by valid_from) as rate_number,
        lead(valid_from) over (partition by upper(trim(currency)) order by valid_from) as next_valid_from
    from {{ ref('currency_rates') }}
),

periods as (
    -- the first rate also stands for earlier days
    select
        currency,
        usd_per_unit,
        case when rate_number = 1 then cast('0001-01-01' as date) else valid_from end as valid_from,
        coalesce(next_valid_from, cast('9999-12-31' as date)) as valid_to
    from rates
),

reporting as (
    select * from periods where currency = upper('{{ var("reporting_currency") }}')
),

final as (
    select
        periods.currency,
        periods.usd_per_unit / nullif(reporting.usd_per_unit, 0) as rate,
        greatest(periods.valid_from, reporting.valid_from) as valid_from,
        least(periods.valid_to, reporting.valid_to) as valid_to
    from periods
    inner join reporting
        on periods.valid_from < reporting.valid_to and periods.valid_to > reporting.valid_from
)

select * from final
