with opportunities as (
    select * from {{ ref('int_opportunities__latest') }}
),

resolved as (
    select
        opportunities.*,
        aliases.account_id,
        {{ in_reporting_currency('opportunities.amount', 'opportunities.currency') }} as reporting_amount,
        types.is_new_business as type_is_new_business,
        min(
            case
                when opportunities.is_won and opportunities.is_decided and not opportunities.is_deleted
                    then opportunities.decided_at
            end
        ) over (partition by aliases.account_id) as first_won_at
    from opportunities
    left join {{ ref('int_account_aliases') }} as aliases on opportunities.record_id = aliases.record_id
    left join {{ ref('opportunity_types') }} as types
        on {{ synonym_key('opportunities.opportunity_type') }} = types.opportunity_type_key
    {{ join_rates('rates', 'opportunities.currency',
        'cast(coalesce(opportunities.decided_at, opportunities.created_at) as date)') }}
),

final as (
    select
        opportunity_id,
        account_id,
        opportunity_name,
        reporting_amount as amount,
        is_won and is_decided as is_won,
        created_at,
        decided_at,
        case
            when is_deleted then 'deleted'
            when account_id is null then 'account not known'
            when created_at is null then 'opening date not known'
            when not is_decided then 'open'
            when not coalesce(type_is_new_business, first_won_at is null or first_won_at >= created_at)
                then 'existing business'
        end as exclusion,
        load_id,
        source_row
    from resolved
)

select * from final
