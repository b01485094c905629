{# Days and instants. The only instant there is comes from the run. #}

{% macro as_of() -%}
  cast('{{ var("as_of") }}' as timestamp)
{%- endmacro %}


{# The calendar day an instant falls on where the company counts its days. #}
{% macro local_date(instant) -%}
  {{ adapter.dispatch('local_date')(instant) }}
{%- endmacro %}


{# A technology still counts this many days after it was last seen: crawlers come by every few months. #}
{% macro technology_grace_days() -%}
  120
{%- endmacro %}


{% macro last_day_of_month(day) -%}
  {{ dbt.last_day(day, 'month') }}
{%- endmacro %}


{% macro days_between(first, last) -%}
  {{ dbt.datediff(first, last, 'day') }}
{%- endmacro %}


{# Calendar months from the month of `first` to the month of `last`. #}
{% macro months_between(first, last) -%}
  {{ dbt.datediff(first, last, 'month') }}
{%- endmacro %}
