with signals as (
    select * from {{ ref('stg_files__competitor_signals') }} where occurred_on < {{ local_date(as_of()) }}
),

final as (
    select distinct
        coalesce(aliases.account_id, domains.account_id) as account_id,
        lower(trim(signals.competitor)) as competitor,
        coalesce(terms.term, signals.signal) as signal,
        signals.occurred_on
    from signals
    {{ join_terms('terms', 'competitor_signal', 'signals.signal') }}
    left join {{ ref('int_account_aliases') }} as aliases on signals.account_id = aliases.record_id
    left join {{ ref('int_account_domains') }} as domains on signals.company_domain = domains.company_domain
    where coalesce(aliases.account_id, domains.account_id) is not null
)

select * from final
