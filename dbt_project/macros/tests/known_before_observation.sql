{#
  Promise 7: no feature uses data from after its observation. `known_at` dates the newest fact a row was made of; rows
  that openly use the first record they have for an earlier date say so in `unless`.
#}
{% test known_before_observation(model, known_at, observed_at='observed_at', unless='false') %}
select *
from {{ model }}
where {{ known_at }} > {{ observed_at }} and not coalesce({{ unless }}, false)
{% endtest %}
