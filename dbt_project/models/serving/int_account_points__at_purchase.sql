-- customers by today's ICP on what was known of them when their newest won deal was opened
with scored as (
{{ scored_by(var('scoring_sql'), ref('int_account_purchases')) }}
),

final as (
    select
        account_id,
        fit_score,
        {{ tier_of('fit_score', var('tiers')) }} as tier
    from scored
)

select * from final
