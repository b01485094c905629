{# What readers see in words. #}

{# A value as text: whole numbers without decimals, the members of a set with commas. #}
{% macro value_text(column) -%}
  {{ adapter.dispatch('value_text')(column) }}
{%- endmacro %}


{# "51-200 employees (+14)", "Uses snowflake (+9)", "Industry not known (-3)" #}
{% macro reason_text() -%}
  case
    when coalesce(member, '') <> '' and bin_key = 'yes' then 'uses ' || member
    when coalesce(member, '') <> '' and bin_key = 'no' then 'does not use ' || member
    when coalesce(member, '') <> '' then 'not known whether it uses ' || member
    when bin_key = 'missing' then attribute_label || ' not known'
    when kind = 'segment' and bin_key = 'no' then 'not in the segment ' || attribute_label
    when kind = 'segment' then 'segment ' || attribute_label
    when kind = 'flag' and bin_key = 'no' then attribute_label || ': no'
    when kind = 'flag' then attribute_label
    else attribute_label || ' ' || bin_label
  end
  || ' (' || case when points_above_average >= 0 then '+' else '' end
  || cast(points_above_average as {{ dbt.type_string() }}) || ')'
{%- endmacro %}


{#
  Why an account is in another tier than before. `between` is the tier that today's account would have under the ICP in
  force before: if the account alone explains the move it is the account's, if the ICP alone explains it it is the ICP's.
#}
{% macro migration_cause(before, between, after) -%}
  case
    when {{ after }} is null then ''
    when {{ before }} is null then {{ "'new account'" if var('previous_accounts_path') else "''" }}
    when {{ before }} = {{ after }} then 'unchanged'
    when {{ between }} is null then ''
    when {{ between }} = {{ before }} then 'ICP changed'
    when {{ between }} = {{ after }} then 'account changed'
    else 'both'
  end
{%- endmacro %}
