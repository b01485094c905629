{#
  A feature model in one pass: one row per observation, and promise 7, nothing newer than the observation. `known_at`
  dates the newest fact a row was made of.
#}
{% test observed_in_time(model, known_at, observed_at='observed_at') %}
select
    observation_id,
    count(*) as rows_with_this_key,
    sum(case when {{ known_at }} > {{ observed_at }} then 1 else 0 end) as rows_from_the_future
from {{ model }}
group by observation_id
having
    count(*) > 1
    or observation_id is null
    or sum(case when {{ known_at }} > {{ observed_at }} then 1 else 0 end) > 0
{% endtest %}
