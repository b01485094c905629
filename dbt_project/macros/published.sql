{# Rows of a Parquet file another part of the refresh wrote; no file, no rows, the same columns: [(name, type)]. #}
{% macro published_rows(path, columns) -%}
  {%- if path -%}
    {{ adapter.dispatch('read_parquet')(path, columns) }}
  {%- else -%}
    {{ empty_relation(columns) }}
  {%- endif -%}
{%- endmacro %}


{% macro empty_relation(columns) -%}
  (select {% for name, type in columns %}cast(null as {{ type }}) as {{ name }}{{ ', ' if not loop.last }}{% endfor %} where false)
{%- endmacro %}


{#
  Post-hook: writes the model to the Parquet file named by a variable; without the variable it writes nothing. `keys` are
  unique, so the order and with it every byte of the file depends on nothing but the rows.
#}
{% macro export_parquet(variable, keys) -%}
  {%- if execute and var(variable, '') -%}
    {{ adapter.dispatch('write_parquet')(this, var(variable), keys) }}
  {%- endif -%}
{%- endmacro %}


{#
  The scores of every account by a compiled scoring statement. `relation` takes the place of its placeholder. Without a
  statement there are no scores.
#}
{% macro scored_by(statement, relation) -%}
  {%- if statement -%}
{{ statement | replace('__account_features__', relation | string) }}
  {%- else -%}
  select
    account_id,
    cast(null as integer) as fit_score,
    cast(null as integer) as intent_score,
    cast(null as double) as win_probability,
    cast(null as double) as expected_value,
    cast(null as double) as expected_value_low,
    cast(null as double) as expected_value_high
  from {{ relation }}
  where false
  {%- endif -%}
{%- endmacro %}


{# The band a score falls in: the one with the highest minimum it reaches. #}
{% macro tier_of(score, tiers) -%}
  {%- if tiers -%}
  case
    {%- for tier in tiers | sort(attribute='min_score', reverse=true) %}
    when {{ score }} >= {{ tier.min_score }} then '{{ tier.name }}'
    {%- endfor %}
  end
  {%- else -%}
  cast(null as {{ dbt.type_string() }})
  {%- endif -%}
{%- endmacro %}


{# Whether a tier is among those that count as fitting the ICP; not known without tiers. #}
{% macro is_qualified(tier) -%}
  {%- if var('tiers') and var('qualified_tiers') -%}
  case when {{ tier }} is not null then {{ tier }} in ({{ "'" ~ var('qualified_tiers') | join("', '") ~ "'" }}) end
  {%- else -%}
  cast(null as boolean)
  {%- endif -%}
{%- endmacro %}


{# A|1..3: how far along the account is with us now, 1 the furthest. Without levels there is no digit. #}
{% macro intent_level_of(score, levels) -%}
  {%- if levels -%}
  case
    {%- for level in levels | sort(reverse=true) %}
    when {{ score }} >= {{ level }} then '{{ loop.index }}'
    {%- endfor %}
    else '{{ (levels | length) + 1 }}'
  end
  {%- else -%}
  ''
  {%- endif -%}
{%- endmacro %}


{# Post-hook of a sync_ model: writes what its destination is sent to <destinations_path>/<model>.parquet. #}
{% macro export_destination(keys) -%}
  {%- if execute and var('destinations_path') -%}
    {{ adapter.dispatch('write_parquet')(this, var('destinations_path') ~ '/' ~ this.identifier ~ '.parquet', keys) }}
  {%- endif -%}
{%- endmacro %}
