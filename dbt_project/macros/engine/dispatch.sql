{# The few things engines say differently and dbt has no cross-database macro for. Bodies: one file per engine. #}

{% macro regexp_replace_all(text, pattern, replacement) -%}
  {{ adapter.dispatch('regexp_replace_all')(text, pattern, replacement) }}
{%- endmacro %}


{# The distinct rows' texts that meet `condition`, in alphabetical order, in one text. #}
{% macro ordered_list(text, separator, condition) -%}
  {{ adapter.dispatch('ordered_list')(text, separator, condition) }}
{%- endmacro %}


{% macro sql_text(value) -%}
'{{ value | replace("'", "''") }}'
{%- endmacro %}
