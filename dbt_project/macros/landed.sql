{#
  The rows of one table in all loads known at as_of, in the shape of the landing contract (_files__sources.yml), which is
  read here rather than repeated. A table nobody landed is an empty relation of the same shape, so that a company without
  it builds the same models. Declared attributes ride along with accounts.
#}
{% macro landed(table) -%}
  {%- set relation = source('files', table) -%}
  {%- if not execute -%}
    {{ relation }}
  {%- else -%}
    {{ adapter.dispatch('read_landed')(var('landed').get(table, []), landed_columns(table)) }}
  {%- endif -%}
{%- endmacro %}


{% macro landed_columns(table) -%}
  {%- set columns = [] -%}
  {%- for node in graph.sources.values() if node.source_name == 'files' and node.name == table -%}
    {%- for column in node.columns.values() -%}
      {%- do columns.append((column.name, column.data_type)) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- if table == 'accounts' -%}
    {%- for attribute in var('declared_attributes') -%}
      {%- do columns.append((attribute.name, attribute_type(attribute.kind))) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- do columns.extend([
    ('_load_id', 'varchar'), ('_effective_at', 'timestamp'), ('_extracted_at', 'timestamp'),
    ('_source_file', 'varchar'), ('_row', 'bigint'),
  ]) -%}
  {{ return(columns) }}
{%- endmacro %}


{% macro attribute_type(kind) -%}
  {{ return({'numeric': 'double', 'flag': 'boolean'}.get(kind, 'varchar')) }}
{%- endmacro %}


{# Where a row came from, under the names the rest of the project uses. #}
{% macro load_columns() -%}
        _load_id as load_id,
        _source_file as source_file,
        _row as source_row,
        _effective_at as effective_at,
        _extracted_at as extracted_at
{%- endmacro %}


{# Newest last: the order in which a later load overrules an earlier one. `direction` is asc or desc. #}
{% macro load_order(direction='asc') -%}
  effective_at {{ direction }}, extracted_at {{ direction }}, load_id {{ direction }}, source_file {{ direction }}, source_row {{ direction }}
{%- endmacro %}


{# When the newest accepted load of a table was true, from the manifests of the lake: what `dbt source freshness` asks. #}
{% macro newest_landed(table) -%}
  {{ adapter.dispatch('newest_landed')(var('lake') ~ '/landing/_loads/*/*.json', table) }}
{%- endmacro %}
