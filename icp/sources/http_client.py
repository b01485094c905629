"""One vendor's API over HTTP: paced, repeated while it fails for a while, refused clearly when it fails for good.

What is repeated: 429 (after `Retry-After` when it is given, otherwise after a growing wait), 5xx, 477, a connection that
breaks or stalls, an answer that is not whole. What is not: a daily limit that is used up, a vendor that asks to be left
alone for minutes, and every other 4xx. What a vendor's own codes and headers mean, its `Manners` say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
import stamina

from icp.config_vendors import RetrySection
from icp.errors import ConfigError, TryLater
from icp.sources.addresses import nobody
from icp.sources.again import Again, as_json, put_off
from icp.sources.manners import Manners, Refusal
from icp.sources.tls import trusted

LOG = logging.getLogger(__name__)
SHOWN = 300
REPEATED = {408, 425, 429, 477}
GOOD = (200, 201, 207)


class Refused(ConfigError):
    """The vendor refused one call for good; `code` is its own word for why."""

    def __init__(self, what: str, code: str) -> None:
        super().__init__(what)
        self.code = code


class Unanswered(Exception):
    """The answer to a call that changes something was lost: whether it was carried out is not known."""


class _Expired(Exception):
    """The token was refused; a new one may help."""


class Meter(Protocol):
    """Counts what attempts of one call cost where a vendor sells answers."""

    def reserve(self) -> None:
        """An attempt is about to be made; raises when its cost is not there."""

    def release(self) -> None:
        """That attempt cost nothing: it did not reach the vendor, or was refused."""


class VendorClient:
    """Calls to one vendor.

    Attributes:
        vendor: The vendor's name, for messages.
        server_time: The `Date` of the first answer: the vendor's own clock when the pull began; None before.
        headers: Those of the last answer.
        calls: How many were sent, repetitions included.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str | Callable[[], str],
        retry: RetrySection,
        token: Callable[[bool], str],
        *,
        manners: Manners | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`token(True)` must fetch a new token, or raise; `token(False)` may answer one it has.

        A `base_url` that only a login tells is a function; it is asked after the token.
        """
        self.vendor = vendor
        self.server_time: str | None = None
        self.headers = httpx.Headers()
        self.calls = 0
        self._safe, self._undone = True, False
        self._retry = retry
        self._token = token
        self._base = base_url
        self._manners = manners or Manners()
        self._secrets: set[str] = set()
        self._not_before = 0.0
        self._used_up = False
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("stamina").setLevel(logging.ERROR)  # repeats are told by LOG, in words
        limit = httpx.Timeout(retry.timeout_seconds)
        self._http = httpx.Client(timeout=limit, transport=transport, follow_redirects=False, verify=trusted())

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
        headers: Mapping[str, str] | None = None,
        read: Callable[[httpx.Response], Any] = as_json,
        meter: Meter | None = None,
        safe: bool = True,
    ) -> Any:
        """What `read` makes of the answer of one call: its JSON object where nothing is said.

        Args:
            method: GET, POST or PATCH.
            path: Below the base URL.
            params: The query.
            body: Sent as JSON.
            headers: More of them; the credentials are added.
            read: Raises `Again` for an answer that is not whole, which is then asked for again; what else it raises is
                a refusal.
            meter: Counts the attempts.
            safe: Whether it may be repeated though it may have been carried out. One that changes something may not.

        Raises:
            Unanswered: What became of a call that is not `safe` is not known.
            TryLater: The vendor did not answer properly however often it was asked, or its daily limit is used up.
            ConfigError: The vendor refused the call: wrong key, missing scope, wrong address (`Refused` has its code).
        """
        self._safe = safe
        request = {"params": params, "json": body, "headers": dict(headers or {})}
        try:
            return self._repeated(method, path, request, read, meter)
        except _Expired as refusal:
            raise ConfigError(str(refusal)) from None
        except Again as problem:
            attempts = f"{self._retry.attempts} attempts"
            done = f"{self.vendor} could not be {self._manners.done}"
            raise TryLater(f"{done}: {problem} ({attempts}). {self._manners.kept}") from None

    def _repeated(
        self,
        method: str,
        path: str,
        request: dict[str, Any],
        read: Callable[[httpx.Response], Any],
        meter: Meter | None,
    ) -> Any:
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
                    return self._once(method, path, request, read, meter, fresh)
                except _Expired:
                    if fresh:
                        raise
                    fresh = True  # a token that ran out is renewed once; a second refusal means what it says
                    return self._once(method, path, request, read, meter, fresh)
                except Again as problem:
                    if attempt.num < self._retry.attempts:
                        LOG.warning(
                            "%s: %s; asked again (%d of %d)",
                            self.vendor,
                            problem,
                            attempt.num + 1,
                            self._retry.attempts,
                        )
                    raise
        raise AssertionError("the retries end in an answer or an error")

    # -- one attempt ---------------------------------------------------------------------------------------------------

    def _once(self, *call: Any) -> Any:
        self._undone = False
        try:
            return self._attempt(*call)
        except Again as problem:
            if self._safe or self._undone:
                raise
            raise Unanswered(str(problem)) from None

    def _attempt(
        self,
        method: str,
        path: str,
        request: dict[str, Any],
        read: Callable[[httpx.Response], Any],
        meter: Meter | None,
        fresh: bool,
    ) -> Any:
        self._pace()
        token = self._token(fresh)
        self._secrets.add(token)
        base = self._base if isinstance(self._base, str) else self._base()
        sent = {**request, "headers": {**request["headers"], **self._manners.credentials(token)}}
        sent["params"] = {**(request["params"] or {}), **self._manners.parameters(token)} or None
        if meter is not None:
            meter.reserve()
        self.calls += 1
        try:
            answer = self._http.request(method, base + path, **sent)
        except httpx.ConnectError as problem:
            self._undone = True
            _free(meter)
            raise Again(f"the connection failed ({type(problem).__name__})") from None
        except httpx.TimeoutException:
            raise Again(f"no answer within {self._retry.timeout_seconds:g} s") from None
        except httpx.HTTPError as problem:
            raise Again(f"the connection failed ({type(problem).__name__})") from None
        self.headers, self._undone = answer.headers, answer.status_code == 429
        self._note_limits(answer.headers)
        if answer.status_code not in (*GOOD, *self._manners.told):
            _free(meter)
            raise self._problem(answer, f"{method} {path}")
        try:
            content = read(answer)
        except Exception as problem:
            if not isinstance(problem, Again) or problem.unpaid:
                _free(meter)
            raise
        self.server_time = self.server_time or answer.headers.get("date")
        return content

    def _problem(self, answer: httpx.Response, what: str) -> Exception:
        status, manners = answer.status_code, self._manners
        refusal = self._refusal(answer)
        said = f", {self.redacted(refusal.message)[:SHOWN]!r}" if refusal.message else ""
        verdict = manners.verdict(status, refusal)
        if verdict is not None:
            return verdict
        if manners.is_used_up(status, refusal):
            return self._spent()
        if status in REPEATED or (status >= 500 and status != 530) or manners.passes(status, refusal):
            return put_off(self.vendor, f"it answered {status}{said}", answer.headers, manners.kept)
        if manners.is_expired(status, refusal):
            return _Expired(f"{self.vendor} refused the credentials ({status}{said}). {manners.new_key}")
        code = f" ({refusal.code})" if refusal.code else ""
        if status == 403:
            said = f"{self.vendor} lets this key not {manners.verb} {what}{code}{said}. {manners.more_rights}"
        else:
            said = f"{self.vendor} refused {what}: {status}{said}. See `icp doctor`."
        return Refused(said, refusal.code)

    def _refusal(self, answer: httpx.Response) -> Refusal:
        try:
            return self._manners.refusal(answer.json())
        except ValueError:
            return Refusal()

    def _spent(self) -> TryLater:
        later = self._manners.later.format(renewed=self._manners.renewed)
        return TryLater(f"{self.vendor}: the daily limit of calls is used up. {later}")

    def redacted(self, text: str) -> str:
        """The text without any credential used so far and without anybody's address."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return nobody(text)

    # -- pace ----------------------------------------------------------------------------------------------------------

    def _note_limits(self, headers: httpx.Headers) -> None:
        """Learn from the limit headers when the next call may start."""
        pause = self._manners.pause(headers)
        if pause is not None:
            self._not_before = time.monotonic() + min(pause, self._retry.longest_wait_seconds)
        self._used_up = self._manners.none_left(headers)

    def _pace(self) -> None:
        if self._used_up:
            self._used_up = False
            raise self._spent()
        wait = self._not_before - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if self._manners.calls_per_second:
            self._not_before = time.monotonic() + 1 / self._manners.calls_per_second


def _free(meter: Meter | None) -> None:
    if meter is not None:
        meter.release()


def _wait(problem: Exception) -> bool | float:
    """For stamina: False to give up, True for its own growing wait, seconds where the vendor named them."""
    if isinstance(problem, Again):
        return True if problem.wait is None else problem.wait
    return False
