{# Text as a key for the synonym seeds: lower case letters and digits only, "&" read as "and". #}
{% macro synonym_key(column) -%}
  {{ regexp_replace_all("replace(lower(" ~ column ~ "), '&', 'and')", '[^a-z0-9ß-ÿ]', '') }}
{%- endmacro %}


{# The digits of a NAICS or SIC code, with or without the name of the system; null for anything else. #}
{% macro code_digits(column) -%}
  {%- set code = "replace(replace(" ~ synonym_key(column) ~ ", 'naics', ''), 'sic', '')" -%}
  case when {{ regexp_replace_all(code, '[0-9]', '') }} = '' then {{ code }} end
{%- endmacro %}


{# Text as given but tidy: one space between words, no underscores, and a capital when the case carries nothing. #}
{% macro tidy(column) -%}
  {%- set spaced = "trim(" ~ regexp_replace_all("replace(" ~ column ~ ", '_', ' ')", '\\s+', ' ') ~ ")" -%}
  case
    when {{ spaced }} = '' then null
    when {{ spaced }} = upper({{ spaced }}) or {{ spaced }} = lower({{ spaced }})
      then upper(substr({{ spaced }}, 1, 1)) || lower(substr({{ spaced }}, 2))
    else {{ spaced }}
  end
{%- endmacro %}


{# `amount` in the reporting currency; `rates` is a join to int_currency_rates__paired. No rate, no amount. #}
{% macro in_reporting_currency(amount, currency, rates='rates') -%}
  case
    when coalesce(upper(trim({{ currency }})), '') in ('', '{{ var("reporting_currency") | upper }}') then {{ amount }}
    else {{ amount }} * {{ rates }}.rate
  end
{%- endmacro %}


{% macro join_rates(rates, currency, on_date) -%}
  left join {{ ref('int_currency_rates__paired') }} as {{ rates }}
    on {{ rates }}.currency = upper(trim({{ currency }}))
    and {{ rates }}.valid_from <= {{ on_date }}
    and {{ rates }}.valid_to > {{ on_date }}
{%- endmacro %}

{# A sum that does not depend on the order of its rows: in floating point the last digit would, and with it the bytes
   of a published revision. Exact to a millionth; null where every value is null. #}
{% macro exact_sum(amount) -%}
    cast(sum(cast({{ amount }} as decimal(28, 6))) as double)
{%- endmacro %}
