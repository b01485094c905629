with spine as (
    select
        *,
        {{ local_date('observed_at') }} as observed_on
    from {{ ref('int_account_observations') }}
),

links as (
    select * from {{ ref('int_account_links__resolved') }}
),

feed as (
    select min(known_on) as first_day from links
),

known as (
    -- a tie counts when the other company was a customer by then; best is told by the last month that was over
    select
        spine.observation_id,
        links.linked_account_id,
        links.link_kind,
        links.known_on,
        customers.account_id is not null as is_customer,
        best.account_id is not null as is_best
    from spine
    inner join links on spine.account_id = links.account_id and links.known_on < spine.observed_on
    left join {{ ref('int_customers') }} as customers
        on links.linked_account_id = customers.account_id and customers.customer_from <= spine.observed_on
    left join {{ ref('int_best_customers__monthly') }} as best
        on links.linked_account_id = best.account_id
        and best.revenue_month = date_trunc('month', spine.observed_on) - interval '1' month
),

counted as (
    select
        observation_id,
        bool_or(link_kind = 'referral') as is_referred,
        count(distinct case when link_kind = 'investor' and is_customer then linked_account_id end) as investor_links,
        count(distinct case when link_kind <> 'referral' and is_customer then linked_account_id end) as customer_links,
        count(distinct case when link_kind <> 'referral' and is_best then linked_account_id end) as best_customer_links,
        max(known_on) as last_known_on
    from known
    group by observation_id
),

final as (
    select
        spine.observation_id,
        spine.observed_on,
        case when feed.first_day < spine.observed_on then coalesce(counted.is_referred, false) end as is_referred,
        {% for name in ['investor_links', 'customer_links', 'best_customer_links'] %}
        case when feed.first_day < spine.observed_on then cast(coalesce(counted.{{ name }}, 0) as double) end as {{ name }},
        {% endfor %}
        counted.last_known_on
    from spine
    cross join feed
    left join counted on spine.observation_id = counted.observation_id
)

select * from final
