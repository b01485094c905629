with landed as (
    select * from {{ landed('accounts') }}
),

final as (
    select
        account_id,
        company_domain,
        merged_into_account_id,

        account_name,
        website,
        industry,
        currency,
        country,
        region,
        city,
        lifecycle_stage,

        employees,
        annual_revenue,
        founded_year,
        {% for attribute in var('declared_attributes') %}
        {{ attribute.name }},
        {% endfor %}

        coalesce(is_deleted, false) as is_deleted,

        created_at,
        modified_at,

{{ load_columns() }}
    from landed
)

select * from final
