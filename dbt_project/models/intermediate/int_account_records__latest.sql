with versions as (
    select * from {{ ref('int_account_versions') }}
),

final as (
    select
        record_id,
        company_domain,
        merged_into_account_id,
        account_name,
        is_deleted,
        created_at,
        valid_from,
        min(case when is_deleted then valid_from end) over (partition by record_id) as first_deleted_at
    from versions
    qualify row_number() over (partition by record_id order by version_number desc) = 1
)

select * from final
