with records as (
    select * from {{ ref('int_account_records__latest') }}
),

crm_merges as (
    select * from {{ ref('int_account_records__merged') }}
),

survivors as (
    -- one company, one record: of the records that share a domain, a live one stands before a deleted one, then the
    -- oldest, then the smallest id
    select
        records.record_id as survivor_id,
        case
            when records.company_domain is null then records.record_id
            else first_value(records.record_id) over (
                partition by records.company_domain
                order by records.is_deleted asc, records.created_at asc nulls last, records.record_id asc
            )
        end as account_id
    from records
    inner join crm_merges on records.record_id = crm_merges.record_id
    where crm_merges.survivor_id = records.record_id
),

final as (
    select
        records.record_id,
        survivors.account_id,
        case
            when records.record_id = survivors.account_id then null
            when crm_merges.survivor_id <> records.record_id then 'merged in the CRM'
            else 'same domain'
        end as merge_reason,
        row_number() over (
            partition by survivors.account_id
            order by
                case when records.record_id = survivors.account_id then 0 else 1 end asc,
                records.is_deleted asc,
                records.created_at asc nulls last,
                records.record_id asc
        ) as record_rank
    from records
    inner join crm_merges on records.record_id = crm_merges.record_id
    inner join survivors on crm_merges.survivor_id = survivors.survivor_id
)

select * from final
