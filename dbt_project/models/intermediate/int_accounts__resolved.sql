with merge_log as (
    select * from {{ ref('int_account_merges') }}
),

aliases as (
    select * from {{ ref('int_account_aliases') }}
),

records as (
    select * from {{ ref('int_account_records__latest') }}
),

companies as (
    select
        aliases.account_id,
        min(records.created_at) as created_at,
        count(merge_log.merged_record_id) as merged_record_count
    from aliases
    inner join records on aliases.record_id = records.record_id
    left join merge_log on aliases.record_id = merge_log.merged_record_id
    group by aliases.account_id
),

final as (
    select
        companies.account_id,
        survivors.account_name,
        survivors.company_domain,
        companies.merged_record_count,
        survivors.is_deleted,
        companies.created_at,
        case when survivors.is_deleted then survivors.first_deleted_at end as deleted_at
    from companies
    inner join records as survivors on companies.account_id = survivors.record_id
)

select * from final
