{# True where a value differs from what the CRM was last told. Columns left out (meta `rides_along`) are no difference. #}
{% macro differs_from_told(wanted, told, columns) -%}
  (
    {{ told }}.account_id is null
    {%- for column in columns %}
    or {{ wanted }}.{{ column }} is distinct from {{ told }}.{{ column }}
    {%- endfor %}
  )
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
