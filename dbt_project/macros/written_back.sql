{#
  What a CRM should hold of every account in a tier, where it differs from what it was last told (`told`): one property for
  each fact that is given a name. `tiers` are the CRM's words for tiers, a tier without one is empty; `more` maps further
  properties to SQL over int_accounts__in_force. `version` and `scored_on` make no difference by themselves.
#}
{% macro written_back(told, tier=none, tiers={}, is_target=none, score=none, reasons=none, version=none, scored_on=none, more={}) -%}
  {%- set words -%}
    case tier {%- for name, word in tiers.items() %} when '{{ name }}' then '{{ word }}' {%- endfor %} end
  {%- endset -%}
  {%- set facts = [
    (tier, words), (is_target, "case when is_icp_qualified and not do_not_contact then 'true' end"),
    (score, 'cast(fit_score as varchar)'), (reasons, "nullif(reasons, '')"),
  ] + (more.items() | list) -%}
  {%- set riders = [(version, "'" ~ var('sync_version', '') ~ "'"), (scored_on, "'" ~ var('sync_scored_on', '') ~ "'")] -%}
  {%- set facts, riders = facts | selectattr(0) | list, riders | selectattr(0) | list -%}
with wanted as (
    -- in the CRM's own names and words; an empty value is one it should not hold
    select
        account_id
        {%- for name, sql in facts + riders %},
        {{ sql }} as {{ name }}
        {%- endfor %}
    from {{ ref('int_accounts__in_force') }}
    where tier is not null
),

told as (
    select * from {{ told }}
),

final as (
    select wanted.*
    from wanted
    left join told on wanted.account_id = told.account_id
    where told.account_id is null
    {%- for name, _ in facts %}
        or wanted.{{ name }} is distinct from told.{{ name }}
    {%- endfor %}
)

select * from final
{%- endmacro %}


{# What the CRM was last told (the ledger's `held`), in the columns of the model that writes to it. #}
{% macro told_before(name) -%}
  {%- set columns = [] -%}
  {%- for column in columns_written_by(name) -%}{%- do columns.append((column.name, column.data_type)) -%}{%- endfor -%}
  {{ published_rows(var('sync_told_path', '') if execute else '', columns or [('account_id', 'varchar')]) }}
{%- endmacro %}


{% macro columns_written_by(name) -%}
  {%- set found = [] -%}
  {%- if execute -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == name -%}
      {%- do found.extend(node.columns.values()) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return(found) }}
{%- endmacro %}
