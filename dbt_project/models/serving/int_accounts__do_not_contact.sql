with stated as (
    -- the last word of every record; a later version that says nothing takes nothing back
    select
        account_id as record_id,
        do_not_contact
    from {{ ref('stg_files__accounts') }}
    where coalesce(modified_at, effective_at) <= {{ as_of() }} and do_not_contact is not null
    qualify row_number() over (
        partition by account_id order by coalesce(modified_at, effective_at) desc, {{ load_order('desc') }}
    ) = 1
),

final as (
    select distinct aliases.account_id
    from stated
    inner join {{ ref('int_account_aliases') }} as aliases on stated.record_id = aliases.record_id
    where stated.do_not_contact
)

select * from final
