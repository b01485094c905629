{# What the CRM says of a company and the features read as of a date; the attributes icp.yml declares ride along. #}
{% macro account_attributes() -%}
  {{ return([
    'account_name', 'company_domain', 'currency', 'parent_account_id',
    'industry', 'country', 'region', 'city', 'metro',
    'sells_to', 'operating_model', 'ownership', 'funding_stage',
    'employees', 'employees_year_ago', 'annual_revenue', 'annual_revenue_year_ago', 'founded_year',
    'funding_total', 'last_funded_on', 'is_subsidiary', 'technology_spend', 'site_traffic', 'social_followers',
  ] + (var('declared_attributes') | map(attribute='name') | list)) }}
{%- endmacro %}


{# The term the seed has for a spelling of `field`, else the spelling as given, tidied; `terms` is a join to the seed. #}
{% macro term(terms, column) -%}
  coalesce({{ terms }}.term, {{ tidy(column) }})
{%- endmacro %}


{% macro join_terms(terms, field, column) -%}
  left join {{ ref('terms') }} as {{ terms }}
    on {{ terms }}.field = '{{ field }}' and {{ terms }}.term_key = {{ synonym_key(column) }}
{%- endmacro %}


{# An amount on a CRM record, in the reporting currency at the rate of the day the record was known. #}
{% macro join_account_rates() -%}
  {{ join_rates('rates', 'attributes.currency', 'cast(attributes.known_at as date)') }}
{%- endmacro %}
