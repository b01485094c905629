"""Every channel reaches a real server, stays within its limits and lets hostile names do nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import stamina
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from loopback import http_sink, smtp_sink

from icp.alerts_schema import ChannelSection
from icp.notify import slack, teams
from icp.notify.deliver import send
from icp.notify.http import DeliveryFailed, Target, is_public, post
from icp.notify.message import Event, Fact, Message, News, message

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOSTILE = [
    "<!channel> & <@U123> <http://evil.example|click>",
    "[click](http://evil.example) **bold** <at>everyone</at>",
    "<script>alert(1)</script>\r\nBcc: victim@example.com",
    "Ünïcødé 株式会社 \u202e rtl \x07",
    "&amp;" * 900,
    "x" * 9000,
]
ENVIRON = {"URL": "", "SECRET": "a-shared-secret"}


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def sample(names: list[str] = HOSTILE, count: int = 80) -> Message:
    events = [Event("drift", "begins", "warning", f"drift/main/{n}", "w", names[n % len(names)]) for n in range(count)]
    facts = tuple(Fact(name, name) for name in names * 3)
    news = News("monitor", "main", tuple(events), facts, "published/main/2026Q3/r1/report.html", tuple(names * 5))
    return message(names[0] + names[-1], news, events, at=NOW.isoformat(), report_url="https://r.example/p?a=1&b=|")


def small() -> Message:
    events = [Event("held", "once", "warning", "held/main/2026Q3/r1", "r1", "ICP changed in 3 of 14 traits.")]
    return message("Lumenworks", News("refresh", "main"), events, at=NOW.isoformat(), report_url=None)


def channel(kind: str, url: str, **more: object) -> tuple[ChannelSection, dict[str, str]]:
    secret = {"secret": "${ENV:SECRET}"} if kind == "webhook" else {}
    section = {"kind": kind, "url": "${ENV:URL}", "allow_private": True, **secret, **more}
    return ChannelSection.model_validate(section), {**ENVIRON, "URL": url}


@pytest.mark.parametrize("what", [sample(), sample([HOSTILE[4]], 12), sample([HOSTILE[5]], 13), small()])
def test_slack_arrives_within_its_limits_and_no_name_calls_anybody(what: Message) -> None:
    section, environ = channel("slack", "")
    with http_sink() as sink:
        send(section, what, NOW, {**environ, "URL": sink.url})
    body = json.loads(sink.requests[0].body)
    assert 1 <= len(body["blocks"]) <= 50
    assert body["text"]
    assert len(json.dumps(body["blocks"], ensure_ascii=False)) < 13_000
    for block in body["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text" and len(block["text"]["text"]) <= 150
        if block["type"] == "section":
            assert len(block.get("text", {}).get("text", "")) <= 3000
            assert len(block.get("fields", [])) <= 10
            assert all(len(f["text"]) <= 2000 for f in block.get("fields", []))
    marked = [b["text"]["text"] for b in body["blocks"] if b["type"] == "section" and "text" in b]
    marked += [f["text"] for b in body["blocks"] for f in b.get("fields", [])] + [body["text"]]
    assert not any(bad in text for text in marked for bad in ("<!", "<@", "<http://evil", "<script"))
    assert all(text.count("<") == text.count("|Open the report>") for text in marked)


def test_slack_text_is_within_limits_when_every_character_is_escaped() -> None:
    body = slack.payload(sample(["&<>" * 3000], 3))
    texts = [b["text"]["text"] for b in body["blocks"] if b["type"] == "section" and "text" in b]
    texts += [f["text"] for b in body["blocks"] for f in b.get("fields", [])]
    assert all(len(text) <= 3000 for text in texts)
    assert len(json.dumps(slack.payload(sample(["&<>" * 3000]))["blocks"])) < 13_000
    assert all(len(f["text"]) <= 2000 for b in body["blocks"] for f in b.get("fields", []))


def test_teams_card_is_small_and_all_text_is_literal() -> None:
    section, environ = channel("teams", "")
    with http_sink() as sink:
        send(section, sample(), NOW, {**environ, "URL": sink.url})
    raw = sink.requests[0].body
    assert len(raw) < 28_000
    card = json.loads(raw)["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard" and "msteams" not in card
    assert {item["type"] for item in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for item in card["body"] for run in item["inlines"]} == {"TextRun"}
    assert len(json.dumps(teams.payload(sample(["株" * 9000], 40)), ensure_ascii=False).encode()) < 28_000


def mail_channel(port: int) -> ChannelSection:
    body = {"kind": "email", "host": "127.0.0.1", "port": port, "security": "none"}
    return ChannelSection.model_validate({**body, "from": "icp@example.com", "to": ["a@example.com", "b@example.com"]})


def test_email_has_text_and_html_and_no_name_adds_a_header_or_a_tag() -> None:
    with smtp_sink() as sink:
        send(mail_channel(sink.port), sample(), NOW)
    letter = message_from_bytes(sink.letters[0], policy=default)
    assert sink.recipients == ["a@example.com", "b@example.com"]
    assert letter["Bcc"] is None and letter["Message-ID"] and len(letter["Subject"]) <= 200
    text, html = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert "<script>alert" in text and "<script" not in html and "&lt;script&gt;alert" in html


def test_email_that_is_refused_says_so() -> None:
    with smtp_sink(refuse=True) as sink, pytest.raises(DeliveryFailed, match="mail server"):
        send(mail_channel(sink.port), small(), NOW)
    assert sink.letters == []


def test_webhook_is_signed_versioned_and_carries_its_key() -> None:
    section, environ = channel("webhook", "")
    with http_sink() as sink:
        send(section, small(), NOW, {**environ, "URL": sink.url})
    got = sink.requests[0]
    stamp = got.headers["x-icp-timestamp"]
    expected = hmac.new(b"a-shared-secret", stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-icp-signature"] == f"v1={expected}"
    assert int(stamp) == int(NOW.timestamp())
    body = json.loads(got.body)
    assert body["schema_version"] == 1 and body["key"] == got.headers["idempotency-key"] == small().key
    assert body["events"][0]["kind"] == "held" and body["severity"] == "warning"


def test_a_webhook_that_answers_500_twice_is_tried_again_with_the_same_key() -> None:
    section, environ = channel("webhook", "")
    with http_sink(500, 503) as sink:
        send(section, small(), NOW, {**environ, "URL": sink.url})
    assert len(sink.requests) == 3
    assert len({(r.headers["idempotency-key"], r.body) for r in sink.requests}) == 1


def test_a_webhook_that_refuses_is_not_tried_again() -> None:
    section, environ = channel("webhook", "")
    with http_sink(403) as sink, pytest.raises(DeliveryFailed, match="answered 403"):
        send(section, small(), NOW, {**environ, "URL": sink.url})
    assert len(sink.requests) == 1


def test_a_webhook_that_hangs_is_given_up_and_no_secret_is_told(caplog: pytest.LogCaptureFixture) -> None:
    section, environ = channel("slack", "", timeout_seconds=0.1)
    with caplog.at_level(logging.DEBUG), http_sink("hang", "hang", "hang") as sink:
        with pytest.raises(DeliveryFailed, match=r"no answer within 0\.1 s") as caught:
            send(section, small(), NOW, {**environ, "URL": sink.url})
        assert len(sink.requests) == 3
    assert "s3cr3t" not in str(caught.value) + repr(caught.value.__cause__)
    told = [r for r in caplog.records if r.levelno >= logging.INFO]
    assert "s3cr3t" not in " ".join(r.getMessage() + str(r.__dict__) for r in told)


def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    with http_sink() as inside, http_sink(f"http://127.0.0.1:{inside.port}/latest/meta-data") as sink:
        section, environ = channel("webhook", sink.url)
        with pytest.raises(DeliveryFailed, match="redirects are not followed"):
            send(section, small(), NOW, environ)
        assert len(sink.requests) == 1 and inside.requests == []


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/x", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "https://localhost/",
     "https://[::ffff:192.168.0.1]/", "https://2130706433/", "https://0.0.0.0/", "https://[fd00::1]/", "http://127.0.0.1/"],
)  # fmt: skip
def test_addresses_inside_are_refused_unless_allowed(url: str) -> None:
    with pytest.raises(DeliveryFailed, match=r"private network|https://|resolved"):
        post(Target(url, timeout=0.2), b"{}", {})


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_addresses_outside_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["100.64.0.1", "224.0.0.1", "2002:7f00:1::", "::", "192.0.2.1", "fe80::1%eth0"])
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_a_variable_that_is_not_set_is_named() -> None:
    section, _ = channel("slack", "")
    with pytest.raises(DeliveryFailed, match="URL is not set in the environment"):
        send(section, small(), NOW, {})


def certificate(folder: Path, host: str) -> Path:
    """A self-signed certificate for a name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    today = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "pair.pem").write_bytes(built.public_bytes(Encoding.PEM) + private)
    return folder / "pair.pem"


@pytest.mark.parametrize(("owner", "arrives"), [("localhost", True), ("other.example", False)])
def test_the_certificate_is_checked_for_the_name_although_the_address_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str, arrives: bool
) -> None:
    pair = certificate(tmp_path, owner)
    monkeypatch.setenv("SSL_CERT_FILE", str(pair))
    with http_sink(tls=pair) as sink:
        target = Target(f"https://localhost:{sink.port}/hook", allow_private=True, timeout=2)
        if arrives:
            post(target, b"{}", {})
            assert sink.requests[0].headers["host"] == f"localhost:{sink.port}"
        else:
            with pytest.raises(DeliveryFailed, match="the connection failed"):
                post(target, b"{}", {})
            assert sink.requests == []
