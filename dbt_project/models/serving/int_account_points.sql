-- the published statement, on these features: nothing about points is written twice
with final as (
{{ scored_by(var('scoring_sql'), ref('int_account_scoring_inputs')) }}
)

select * from final
