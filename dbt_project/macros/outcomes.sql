{# What became of a won deal, under the names and types of the contract. #}
{% macro outcome_facts(relation) -%}
  {%- for name in ['revenue', 'gross_margin', 'tenure_months', 'expansion', 'nps', 'csat', 'cs_rating'] -%}
        cast({{ relation }}.outcome_{{ name }} as double) as outcome_{{ name }},
        {% endfor -%}
        cast({{ relation }}.outcome_is_churned as boolean) as outcome_is_churned,
        cast({{ relation }}.outcome_has_repeated as boolean) as outcome_has_repeated
{%- endmacro %}
