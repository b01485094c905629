"""What every vendor's client does with an answer that means "not now", and what it says to the user."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from icp.config_technographics import BuiltWithSettings, WappalyzerSettings
from icp.config_vendors import HubSpotSettings, RetrySection
from icp.errors import ConfigError, TryLater
from icp.fake_vendors.loopback import LoopbackServer, answering
from icp.sources.builtwith import BuiltWith
from icp.sources.http_client import LOG
from icp.sources.hubspot_api import HubSpotApi
from icp.sources.manners import number, retry_after
from icp.sources.wappalyzer import Wappalyzer

NAMES = (200, {}, {"results": [{"name": "domain"}]})
NOON = {"Date": "Mon, 01 Jun 2026 12:00:00 GMT"}
Answer = tuple[int, dict[str, str], Any]


class _Scripted(BaseHTTPRequestHandler):
    """Gives the answers of its script, one after the other."""

    script: list[Answer]

    def do_GET(self) -> None:
        status, headers, content = self.script.pop(0)
        body = json.dumps(content).encode()
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def scripted(*answers: Answer, **more: Any) -> Iterator[HubSpotApi]:
    """HubSpot's client against a server with a script."""
    with answering(LoopbackServer(type("Scripted", (_Scripted,), {"script": list(answers)}))) as server:
        retry = RetrySection(attempts=3, first_wait_seconds=0.01, longest_wait_seconds=0.02)
        api = HubSpotApi(HubSpotSettings(base_url=server.url, retry=retry, **more))
        yield api
        api.client.close()


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUBSPOT_TOKEN", "APP", "APP_SECRET", "APP_REFRESH"):
        monkeypatch.setenv(name, "secret-of-ours")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 01 Jun 2026 12:00:40 GMT", "date": NOON["Date"]}, 40),
        ({"retry-after": "Mon, 01 Jun 2026 11:00:00 GMT", "date": NOON["Date"]}, 0),
        ({"retry-after": "Mon, 01 Jun 2026 12:00:40 GMT"}, None),
    ],
)
def test_a_pause_is_read_in_both_of_its_forms_by_the_vendors_clock(headers, seconds) -> None:
    assert retry_after(headers) == seconds
    assert number("inf") is None


@pytest.mark.parametrize("asked", ["1800", "Mon, 01 Jun 2026 12:30:00 GMT"])
def test_a_long_pause_is_left_to_the_next_pull_and_its_end_is_named(asked) -> None:
    with scripted((429, {"Retry-After": asked, **NOON}, {"message": "too much"})) as api:
        with pytest.raises(
            TryLater, match=r"429, 'too much' and asks .* 30 minutes, until 2026-06-01 12:30 UTC"
        ) as told:
            api.property_names("companies")
    assert told.value.exit_code == 75


def test_repeats_are_told_in_words_of_ours(caplog, monkeypatch) -> None:
    monkeypatch.setattr(LOG, "disabled", False)  # the linter of imports, run by another test, disables every logger
    caplog.set_level(logging.INFO)
    logging.getLogger("stamina").setLevel(logging.NOTSET)
    with scripted((503, {}, {}), (429, {"Retry-After": "0"}, {}), NAMES) as api:
        assert api.property_names("companies") == {"domain"}
    assert [record.getMessage() for record in caplog.records] == [
        "HubSpot: it answered 503; asked again (2 of 3)",
        "HubSpot: it answered 429; asked again (3 of 3)",
    ]


def test_a_login_that_fails_for_a_moment_does_not_end_a_pull() -> None:
    oauth = {"client_id_env": "APP", "client_secret_env": "APP_SECRET", "refresh_token_env": "APP_REFRESH"}
    token = (200, {}, {"access_token": "t"})
    with scripted((502, {}, "<html>"), token, (401, {}, {}), (503, {}, {}), token, NAMES, oauth=oauth) as api:
        assert api.property_names("companies") == {"domain"}


def test_what_a_vendor_says_is_repeated_without_addresses_and_keys() -> None:
    said = {"message": "jane.doe@acme.com may not use secret-of-ours", "category": "MISSING_SCOPES"}
    with scripted((403, {}, said)) as api:
        with pytest.raises(ConfigError, match=r"MISSING_SCOPES\), '\*\*\*@acme.com may not use \*\*\*'"):
            api.property_names("companies")


class _Free:
    """A meter of a vendor that charges nothing."""

    def reserve(self) -> None:
        """Nothing to count."""

    def release(self) -> None:
        """Nothing to give back."""


@pytest.mark.parametrize(
    ("api", "section", "content"),
    [
        (BuiltWith, BuiltWithSettings, {"Results": [{"Lookup": "a.com", "Result": {"Paths": ["x"]}}]}),
        (BuiltWith, BuiltWithSettings, {"Results": ["a.com"]}),
        (Wappalyzer, WappalyzerSettings, [{"url": "https://a.com", "technologies": ["x"]}]),
    ],
)
def test_a_look_up_of_another_shape_is_for_later(api, section, content, monkeypatch) -> None:
    monkeypatch.setenv(section.model_fields["key_env"].default, "secret-of-ours")
    with answering(LoopbackServer(type("Scripted", (_Scripted,), {"script": [(200, {}, content)]}))) as server:
        vendor = api(section(base_url=server.url, monthly_credits=10))
        with pytest.raises(TryLater, match="another shape than documented"):
            vendor.ask(["a.com"], _Free(), datetime(2026, 6, 1, tzinfo=UTC))
        vendor.client.close()
