{# True where a value differs from what the CRM was last told; columns with meta `rides_along` alone are no difference. #}
{% macro differs_from_told(wanted, told) -%}
  (
    {{ told }}.account_id is null
    {%- for column in model.columns.values() if column.name != 'account_id' and not column.meta.get('rides_along') %}
    or {{ wanted }}.{{ column.name }} is distinct from {{ told }}.{{ column.name }}
    {%- endfor %}
  )
{%- endmacro %}


{# The published list a write-back starts from: the accounts of the revision in force. #}
{% macro list_in_force() -%}
  {{ published_rows(var('sync_list_path', ''), [
    ('account_id', 'varchar'), ('tier', 'varchar'), ('fit_score', 'integer'), ('reasons', 'varchar'),
    ('is_icp_qualified', 'boolean'), ('do_not_contact', 'boolean'),
  ]) }}
{%- endmacro %}


{# What the CRM was last told (the ledger's `held`), in the columns of the model that asks. #}
{% macro told_before() -%}
  {%- set columns = [] -%}
  {%- for column in model.columns.values() -%}{%- do columns.append((column.name, column.data_type)) -%}{%- endfor -%}
  {{ published_rows(var('sync_told_path', ''), columns) }}
{%- endmacro %}
