with attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

final as (
    -- CRMs store "not known" as 0 or -1 employees; a company with no revenue yet is real
    select
        attributes.observation_id,
        case when attributes.employees >= 1 then attributes.employees end as employees,
        case
            when attributes.annual_revenue >= 0
                then {{ in_reporting_currency('attributes.annual_revenue', 'attributes.currency') }}
        end as annual_revenue
    from attributes
    {{ join_rates('rates', 'attributes.currency', 'cast(attributes.known_at as date)') }}
)

select * from final
