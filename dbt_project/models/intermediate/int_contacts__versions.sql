{% set stated_at = 'coalesce(modified_at, effective_at)' %}

with numbered as (
    select
        *,
        {{ stated_at }} as stated_at,
        row_number() over history as version_number,
        lag({{ stated_at }}) over history as previous_stated_at
    from {{ ref('stg_files__contacts') }}
    where created_at <= {{ as_of() }} and {{ stated_at }} <= {{ as_of() }}
    window history as (partition by contact_id order by {{ stated_at }}, {{ load_order() }})
),

dated as (
    -- what a load restates under the same stamp counts from that load on
    select
        contact_id,
        account_id,
        buying_role,
        seniority,
        department,
        is_deleted,
        version_number,
        case when stated_at = previous_stated_at then greatest(stated_at, effective_at) else stated_at end as valid_from
    from numbered

    union all

    -- a contact is there from its creation; what it was before it was last changed nobody knows
    select
        contact_id,
        account_id,
        null as buying_role,
        null as seniority,
        null as department,
        false as is_deleted,
        0 as version_number,
        created_at as valid_from
    from numbered
    where version_number = 1 and stated_at > created_at
)

select
    dated.contact_id,
    dated.version_number,
    aliases.account_id,
    {{ term('roles', 'dated.buying_role') }} as buying_role,
    {{ term('levels', 'dated.seniority') }} as seniority,
    {{ term('departments', 'dated.department') }} as department,
    dated.is_deleted,
    dated.valid_from,
    lead(dated.valid_from) over (partition by dated.contact_id order by dated.version_number) as valid_to
from dated
left join {{ ref('int_account_aliases') }} as aliases on dated.account_id = aliases.record_id
{{ join_terms('roles', 'buying_role', 'dated.buying_role') }}
{{ join_terms('levels', 'seniority', 'dated.seniority') }}
{{ join_terms('departments', 'department', 'dated.department') }}
