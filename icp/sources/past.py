"""What a record was before: states rebuilt from the dated values of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from icp.errors import ConfigError

Dated = tuple[datetime, Any]


def states(
    history: Mapping[str, Sequence[Dated]], before: datetime, since: datetime | None
) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Every instant at which a field changed with the values from then on, oldest first.

    Args:
        history: By field its values with when each began; of two of one instant the one listed later stands.
        before: Only instants before this one: from here on the record is what it is now.
        since: Only instants from here on; None for all.

    A field is None in states that are older than what its history reaches back to.
    """
    dated = {name: sorted(values, key=itemgetter(0)) for name, values in history.items()}
    moments = sorted({moment for values in dated.values() for moment, _ in values if moment < before})
    last: dict[str, Any] | None = None
    for moment in moments:
        state = {name: _at(values, moment) for name, values in dated.items()}
        if state != last and (since is None or moment >= since):
            yield moment, state
        last = state


def _at(values: Sequence[Dated], moment: datetime) -> Any:
    begun = [value for since, value in values if since <= moment]
    return begun[-1] if begun else None


def instant(text: str, vendor: str, id_: str) -> datetime:
    """A time a vendor names.

    Raises:
        ConfigError: It is no time; the record is named.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{vendor} names a time of record {id_} that is none: {text[:40]!r}.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
