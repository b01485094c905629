"""A receiver of one's own: changed rows of a list, posted in signed batches that a receiver can recognise.

It cannot be asked what it holds, so what it accepted stands for that. A batch whose answer is lost is posted again byte for
byte under the same `Idempotency-Key`, now and when the plan is gone on with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from icp.config import secret
from icp.config_destinations import WebhookDestination
from icp.destinations.destination import RESUME, Rejected, Room, Takes, Values, Written
from icp.errors import ConfigError, TryLater
from icp.notify.http import DeliveryFailed, NotNow, Target, post
from icp.notify.webhook import signed_headers

TAKES: Takes = "rows"
SCHEMA_VERSION = 1
REFUSES_ROWS = (400, 409, 422)


def opened(section: WebhookDestination, room: Room) -> Webhook:
    """The receiver, ready to be posted to."""
    return Webhook(section, room)


class Webhook:
    """A receiver; it is told of every row as JSON under `row`, None where the account left the list."""

    remedy = ""

    def __init__(self, section: WebhookDestination, room: Room) -> None:
        url = secret(section.url_env) if section.url_env else section.url or ""
        retry = section.retry
        self._target = Target(
            url, section.allow_private, retry.timeout_seconds, retry.attempts, retry.first_wait_seconds
        )
        self._secret, self._list = secret(section.secret_env), section.list
        self._held, self._clock = room.ledger.held, room.clock
        self.batch, self.calls = section.batch_rows, 0

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        return ()

    def create(self, columns: Sequence[str]) -> None:
        """Nothing has to be made."""

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        held, nothing = self._held(accounts), dict.fromkeys(columns)
        return {account: {**nothing, **held.get(account, {})} for account in accounts}

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        body = _body(self._list, trace.rpartition("-")[0], rows)
        key = hashlib.sha256(body).hexdigest()[:32]
        self.calls += 1
        try:
            post(self._target, body, signed_headers(body, key, self._secret, self._clock()))
        except NotNow as problem:
            raise TryLater(f"The receiver does not take a batch of {len(rows)} rows: {problem}. {RESUME}") from None
        except DeliveryFailed as problem:
            if problem.status in REFUSES_ROWS:
                return Rejected(str(problem))
            smaller = " Lower `batch_rows`." if problem.status == 413 else ""
            raise ConfigError(
                f"The receiver refused a batch of {len(rows)} rows: {problem}.{smaller} {RESUME}"
            ) from None
        return Written(dict.fromkeys(rows))

    def close(self) -> None:
        """Nothing is held open."""


def _body(name: str, plan: str, rows: Mapping[str, Values]) -> bytes:
    about = {"schema_version": SCHEMA_VERSION, "event": "icp.list", "list": name, "plan": plan}
    told = [json.loads(values["row"]) for values in rows.values() if values["row"] is not None]
    removed = [account for account, values in rows.items() if values["row"] is None]
    content = {**about, "rows": told, "removed": removed}
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
