{#
  The team's own features: `added_features` in dbt_project.yml lists them, `support` standing for the model
  feat_account__support. Each column that model declares with meta.icp is an attribute; nothing else has to be told of it.
#}
{% macro added_columns() -%}
  {%- set columns = [] -%}
  {%- if execute -%}
    {%- for name in var('added_features') -%}
      {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == 'feat_account__' ~ name -%}
        {%- for column in node.columns.values() if column.meta.get('icp') -%}
          {%- do columns.append({'feature': name, 'name': column.name, 'kind': column.meta['icp']['kind']}) -%}
        {%- endfor -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return(columns) }}
{%- endmacro %}


{# Names of the attributes fct_account_declared_attributes holds: declared in icp.yml, then added as features. #}
{% macro own_attribute_names() -%}
  {{ return((var('declared_attributes') | map(attribute='name') | list) + (added_columns() | map(attribute='name') | list)) }}
{%- endmacro %}


{# One type per kind, whatever the model counted in; a set always has "|" around each member. #}
{% macro attribute_value(column, kind) -%}
  {%- if kind == 'set' -%}
    '|' || trim(both '|' from {{ column }}) || '|'
  {%- elif kind == 'category' -%}
    nullif(trim({{ column }}), '')
  {%- else -%}
    cast({{ column }} as {{ attribute_type(kind) }})
  {%- endif -%}
{%- endmacro %}


{% macro join_added_features(spine) -%}
  {%- for name in var('added_features') %}
    left join {{ ref('feat_account__' ~ name) }} as {{ name }} on {{ spine }}.observation_id = {{ name }}.observation_id
  {%- endfor %}
{%- endmacro %}
