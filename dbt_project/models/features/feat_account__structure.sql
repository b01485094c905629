with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

attributes as (
    select * from {{ ref('int_account_attributes__as_of') }}
),

feed as (
    select min(valid_from) as first_at from {{ ref('int_account_versions') }} where parent_account_id is not null
),

final as (
    -- without a parent on record a company stands alone, once the CRM had begun to name parents
    select
        spine.observation_id,
        case
            when attributes.is_subsidiary is not null then attributes.is_subsidiary
            when attributes.parent_account_id is not null then true
            when feed.first_at <= spine.observed_at then false
        end as is_subsidiary,
        case
            when attributes.parent_account_id is not null then coalesce(customers.customer_from <= spine.observed_on, false)
            when feed.first_at <= spine.observed_at then false
        end as parent_is_customer
    from spine
    cross join feed
    left join attributes on spine.observation_id = attributes.observation_id
    left join {{ ref('int_account_aliases') }} as parents on attributes.parent_account_id = parents.record_id
    left join {{ ref('int_customers') }} as customers
        on parents.account_id = customers.account_id and parents.account_id <> spine.account_id
)

select * from final
