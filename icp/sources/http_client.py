"""One vendor's API over HTTP: paced, repeated while it fails for a while, refused clearly when it fails for good.

What is repeated: 429 (after `Retry-After` when it is given, otherwise after a growing wait), 5xx, 477, a connection that
breaks or stalls, an answer that is not whole JSON. What is not: a daily limit that is used up, and every other 4xx.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import stamina

from icp.config_vendors import RetrySection
from icp.errors import ConfigError, TryLater

SHOWN = 300
REPEATED = {408, 425, 429, 477}


class _Again(Exception):
    """This attempt failed in a way that often passes; `wait` is what the vendor asked for."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


def again(what: str) -> Exception:
    """What a vendor's `refusal` answers for a failure that often passes: the call is repeated."""
    return _Again(what)


class _Expired(Exception):
    """The token was refused; a new one may help."""


class Meter(Protocol):
    """Counts what attempts of one call cost where a vendor sells answers."""

    def reserve(self) -> None:
        """An attempt is about to be made; raises when its cost is not there."""

    def release(self) -> None:
        """That attempt cost nothing: it did not reach the vendor, or was refused."""


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, Any]
    body: Any
    shape: type
    meter: Meter | None

    @property
    def what(self) -> str:
        """For messages: never the parameters, which may hold a key."""
        return f"{self.method} {self.path}"

    def costs_nothing(self) -> None:
        if self.meter is not None:
            self.meter.release()


def bearer(token: str) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and parameters that carry a token: the usual header."""
    return {"Authorization": f"Bearer {token}"}, {}


class VendorClient:
    """Calls to one vendor.

    Attributes:
        vendor: The vendor's name, for messages.
        server_time: The `Date` of the first answer: the vendor's own clock when the pull began; None before.
        headers: Those of the last answer.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        retry: RetrySection,
        token: Callable[[bool], str],
        *,
        transport: httpx.BaseTransport | None = None,
        sign: Callable[[str], tuple[dict[str, str], dict[str, str]]] = bearer,
        refusal: Callable[[httpx.Response], Exception | None] = lambda answer: None,
        calls_per_second: float = 0,
    ) -> None:
        """`token(True)` must fetch a new token, or raise; `token(False)` may answer one it has.

        `sign` says how calls carry the token, `refusal` what an answer that is no success means where this vendor means
        something of its own, `calls_per_second` how fast it may be asked (0: as fast as it answers).
        """
        self.vendor = vendor
        self.server_time: str | None = None
        self.headers = httpx.Headers()
        self._sign, self._refusal = sign, refusal
        self._interval = 1 / calls_per_second if calls_per_second else 0.0
        self._retry = retry
        self._token = token
        self._secrets: set[str] = set()
        self._not_before = 0.0
        self._daily_used_up = False
        logging.getLogger("httpx").setLevel(logging.WARNING)
        limit = httpx.Timeout(retry.timeout_seconds)
        self._http = httpx.Client(base_url=base_url, timeout=limit, transport=transport, follow_redirects=False)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        shape: type = dict,
        meter: Meter | None = None,
    ) -> Any:
        """The JSON answer of one call: an object, or what `shape` says. `meter` counts its attempts.

        Raises:
            TryLater: The vendor did not answer properly however often it was asked, or its daily limit is used up.
            ConfigError: The vendor refused the call: wrong key, missing scope, wrong address.
        """
        try:
            return self._repeated(_Call(method, path, params or {}, body, shape, meter))
        except _Expired as refusal:
            raise ConfigError(str(refusal)) from None
        except _Again as problem:
            raise TryLater(
                f"{self.vendor} could not be read: {problem} ({self._retry.attempts} attempts). Nothing of this pull "
                "is kept; the next `icp ingest` repeats it."
            ) from None

    def _repeated(self, call: _Call) -> Any:
        fresh = False
        for attempt in stamina.retry_context(
            on=_wait,
            attempts=self._retry.attempts,
            timeout=None,
            wait_initial=self._retry.first_wait_seconds,
            wait_max=self._retry.longest_wait_seconds,
            wait_jitter=self._retry.first_wait_seconds,
        ):
            with attempt:
                try:
                    return self._once(call, fresh)
                except _Expired:
                    if fresh:
                        raise
                    fresh = True  # a token that ran out is renewed once; a second refusal means what it says
                    return self._once(call, fresh)
        raise AssertionError("the retries end in an answer or an error")

    # -- one attempt ---------------------------------------------------------------------------------------------------

    def _once(self, call: _Call, fresh: bool) -> Any:
        self._pace()
        token = self._token(fresh)
        self._secrets.add(token)
        headers, signed = self._sign(token)
        if call.meter is not None:
            call.meter.reserve()
        try:
            answer = self._http.request(
                call.method, call.path, params={**call.params, **signed}, json=call.body, headers=headers
            )
        except httpx.ConnectError as problem:
            call.costs_nothing()
            raise _Again(f"the connection failed ({type(problem).__name__})") from None
        except httpx.TimeoutException:
            raise _Again(f"no answer within {self._retry.timeout_seconds:g} s") from None
        except httpx.HTTPError as problem:
            raise _Again(f"the connection failed ({type(problem).__name__})") from None
        self.headers = answer.headers
        self._note_limits(answer.headers)
        refused = self._refusal(answer)
        if refused is None and answer.status_code in (200, 207):
            return self._json(answer, call)
        call.costs_nothing()
        raise refused or self._problem(answer, call.what)

    def _json(self, answer: httpx.Response, call: _Call) -> Any:
        try:
            content = answer.json()
        except ValueError:
            is_page = answer.text.lstrip()[:1] == "<"
            if is_page:  # some proxy's page: the vendor's API did not answer
                call.costs_nothing()
            raise _Again(f"it answered {'HTML' if is_page else 'text that is not JSON'}") from None
        if not isinstance(content, call.shape):
            raise _Again(f"it answered JSON that is no {'object' if call.shape is dict else 'list'}")
        self.server_time = self.server_time or answer.headers.get("date")
        return content

    def _problem(self, answer: httpx.Response, what: str) -> Exception:
        status = answer.status_code
        said, policy, category = self._said(answer)
        if status == 429 and policy == "DAILY":
            return TryLater(
                f"{self.vendor}: the daily limit of calls is used up. Nothing of this pull is kept; the next "
                "`icp ingest` after the limit is renewed (midnight in the portal's time zone) repeats it."
            )
        if status in REPEATED or (status >= 500 and status != 530):
            return _Again(f"it answered {status}{said}", _seconds(answer.headers.get("retry-after")))
        if status in (401, 530):
            return _Expired(f"{self.vendor} refused the credentials ({status}{said}). Make a new key or token.")
        if status == 403:
            lacks = f" ({category})" if category else ""
            return ConfigError(f"{self.vendor} lets this key not read {what}{lacks}{said}. Add the scope to the app.")
        return ConfigError(f"{self.vendor} refused {what}: {status}{said}. See `icp doctor`.")

    def _said(self, answer: httpx.Response) -> tuple[str, str, str]:
        try:
            content = answer.json()
        except ValueError:
            return "", "", ""
        if not isinstance(content, dict):
            return "", "", ""
        message = self.redacted(str(content.get("message", "")))[:SHOWN]
        policy, category = str(content.get("policyName", "")), str(content.get("category", ""))
        return (f", {message!r}" if message else ""), policy, category

    def redacted(self, text: str) -> str:
        """The text without any credential used so far."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    # -- pace ----------------------------------------------------------------------------------------------------------

    def _note_limits(self, headers: httpx.Headers) -> None:
        """Learn from the limit headers when the next call may start."""
        remaining = _seconds(headers.get("x-hubspot-ratelimit-remaining"))
        interval = _seconds(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
        if remaining is not None and remaining < 1 and interval is not None:
            self._not_before = time.monotonic() + min(interval / 1000, self._retry.longest_wait_seconds)
        self._daily_used_up = _seconds(headers.get("x-hubspot-ratelimit-daily-remaining")) == 0

    def _pace(self) -> None:
        if self._daily_used_up:
            self._daily_used_up = False
            raise TryLater(
                f"{self.vendor}: the daily limit of calls is used up. The next `icp ingest` repeats the pull."
            )
        wait = self._not_before - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if self._interval:
            self._not_before = time.monotonic() + self._interval


def _wait(problem: Exception) -> bool | float:
    """For stamina: False to give up, True for its own growing wait, seconds where the vendor named them."""
    if isinstance(problem, _Again):
        return True if problem.wait is None else min(problem.wait, 120.0)
    return False


def _seconds(text: str | None) -> float | None:
    """A number in a header; None when absent or written otherwise (a date)."""
    try:
        return None if text is None else max(float(text), 0.0)
    except ValueError:
        return None
