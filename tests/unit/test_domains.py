"""A website names a company by its registrable domain, or names none."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from icp import domains
from icp.domains import registrable_domain, registrable_domains

NASTY = Path(__file__).with_name("nasty_domains.yml")
STACKDECK = Path(__file__).resolve().parents[3] / "shared/data/stackdeck_technographics"


@pytest.mark.parametrize(
    ("website", "company"),
    [
        ("acme.com", "acme.com"),
        (" ACME.COM. ", "acme.com"),
        ("https://www.shop.acme.co.uk:8443/about?x=1#top", "acme.co.uk"),
        ("http://user:secret@acme.com:80", "acme.com"),
        ("info@acme.com", "acme.com"),
        ("http//acme.com", "acme.com"),
        ("//acme.com/x", "acme.com"),
        ("acme.com, acme.de", "acme.com"),
        ("müller.de", "xn--mller-kva.de"),
        ("XN--MLLER-KVA.de", "xn--mller-kva.de"),
        ("acme。com", "acme.com"),
        ("dev_1.acme.com", "acme.com"),
        ("acme.uk.com", "acme.uk.com"),
    ],
)
def test_a_company(website: str, company: str) -> None:
    assert registrable_domain(website) == company


@pytest.mark.parametrize(
    "website",
    [
        "",
        "-",
        "acme",
        "localhost",
        "10.0.0.1",
        "http://[::1]/",
        "co.uk",
        "com",
        "jane@gmail.com",
        "gmail.com",
        "web.de",
        "acme.github.io",
        "github.io",
        "acme.myshopify.com",
        "s3.us-east-1.amazonaws.com",
        "facebook.com/acme",
        "..",
        "@",
        "http://",
    ],
)
def test_no_company(website: str) -> None:
    assert registrable_domain(website) is None


@given(
    st.text(max_size=40)
    | st.from_regex(r"(https?://)?(www\.)?[a-zäöü_-]{1,12}\.(com|co\.uk|de|github\.io|uk\.com)(:\d+)?(/.*)?")
)
def test_normalising_twice_changes_nothing(text: str) -> None:
    domain = registrable_domain(text)
    assert domain is None or registrable_domain(domain) == domain


@given(st.from_regex(r"[a-z][a-z0-9]{2,12}\.(com|de|co\.uk)", fullmatch=True))
def test_the_way_a_website_is_written_does_not_matter(domain: str) -> None:
    spellings = [domain, f"www.{domain}", f"HTTPS://{domain.upper()}/", f"  {domain}. ", f"someone@{domain}"]
    assert len({registrable_domain(spelling) for spelling in spellings}) == 1


def test_many_at_once_keep_their_order() -> None:
    assert registrable_domains(["www.a.com", None, "b.de", "www.a.com", ""]) == ["a.com", None, "b.de", "a.com", None]


def test_no_network_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from icp import domains

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a domain was looked up on the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    domains._extractor.cache_clear()
    domains.registrable_domain.cache_clear()
    assert registrable_domain("www.offline-company.org") == "offline-company.org"


def judged(truth: Mapping[str, str | None]) -> tuple[float, float, dict[str, str | None]]:
    """Precision and recall of the companies named, and what was answered wrongly."""
    found = {text: registrable_domain(text) for text in truth}
    right = sum(found[text] == company for text, company in truth.items() if company)
    wrong = {text: answer for text, answer in found.items() if answer != truth[text]}
    return right / sum(map(bool, found.values())), right / sum(map(bool, truth.values())), wrong


def test_nasty_websites_against_what_a_person_reads_in_them() -> None:
    groups = YAML(typ="safe").load(NASTY)
    truth = {text: company for group in groups.values() for text, company in group.items()}
    assert len(truth) == sum(map(len, groups.values())) >= 430
    precision, recall, wrong = judged(truth)
    assert precision == 1.0, wrong
    assert recall > 0.99 and set(wrong) == {"i❤.ws", "☃.net"}  # symbols no registry of today takes


@pytest.mark.realdata
@pytest.mark.skipif(not STACKDECK.is_dir(), reason=f"no data at {STACKDECK}")
def test_websites_of_real_companies() -> None:
    """Read one by one: each of the 81 is the bare domain of the company, with or without www. The digest is of that list."""
    websites = pd.read_csv(STACKDECK / "company_tech_snapshots.csv")["website"].drop_duplicates()
    truth: dict[str, str | None] = {site: str(urlsplit(site).hostname).removeprefix("www.") for site in websites}
    listed = "\n".join(sorted(map(str, truth.values())))
    assert hashlib.sha256(listed.encode()).hexdigest()[:16] == "496625800d58c5ab"
    assert (len(truth), judged(truth)) == (81, (1.0, 1.0, {}))


def test_plain_hosts_are_what_they_are_in_other_words() -> None:
    """The short ways for `acme.com` say what the long ones do, for every suffix there is."""
    suffixes = [*domains._suffixes(), "nosuffix"]
    hosts = [host for s in suffixes for host in (s, f"acme.{s}", f"a-b.acme.{s}", f"-acme.{s}", f"acme_1.{s}")]
    for host in hosts:
        found = domains._extractor()(host)
        assert domains._registrable(host) == (found.domain, found.top_domain_under_public_suffix)
    plain = [host for host in hosts if domains.PLAIN.fullmatch(host)]
    assert [registrable_domain(host) for host in plain] == [registrable_domain(f"//{host}/x?y") for host in plain]
