with aliases as (
    select * from {{ ref('int_account_aliases') }} where merge_reason is not null
),

records as (
    select * from {{ ref('int_account_records__latest') }}
),

final as (
    select
        aliases.record_id as merged_record_id,
        aliases.account_id as surviving_account_id,
        aliases.merge_reason,
        records.company_domain,
        records.account_name,
        records.is_deleted,
        records.valid_from as known_at
    from aliases
    inner join records on aliases.record_id = records.record_id
)

select * from final
