with landed as (
    select * from {{ landed('accounts') }}
),

final as (
    select
        account_id,
        company_domain,
        merged_into_account_id,
        parent_account_id,

        account_name,
        website,
        industry,
        currency,
        country,
        region,
        city,
        metro,
        sells_to,
        operating_model,
        ownership,
        funding_stage,
        lifecycle_stage,

        employees,
        annual_revenue,
        employees_year_ago,
        annual_revenue_year_ago,
        funding_total,
        technology_spend,
        site_traffic,
        social_followers,
        founded_year,
        {% for attribute in var('declared_attributes') %}
        {{ attribute.name }},
        {% endfor %}

        coalesce(is_deleted, false) as is_deleted,
        is_subsidiary,
        do_not_contact,

        last_funded_on,
        created_at,
        modified_at,

{{ load_columns() }}
    from landed
)

select * from final
