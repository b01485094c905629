"""Which company a website, host name or e-mail address belongs to: its registrable domain, found without the internet.

The public-suffix list packaged with tldextract is used, private suffixes included (acme.uk.com is a company's own
domain). Domains anybody can have an address under (personal mail, hosting, social networks) name no company: see
`not_company_domains.txt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from tldextract import TLDExtract

SCHEME = re.compile(r"^(?:view-source:|mailto:|(?:www\.)?https?(?:[:;/]+|$)|[a-z][a-z0-9+-]+:/+|/+)", re.IGNORECASE)
NOT_WEB = re.compile(r"^(?:file|javascript|data|about|tel|android-app|ios-app):", re.IGNORECASE)
AFTER_HOST = re.compile(r"[/?#]")
SEVERAL = re.compile(r"[\s,;|]+|\]\(")
AROUND = " \t'\"`´“”„«»‹›‘’‚<>()[]*=!•·…–—-"
PLAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
ADDRESS = re.compile(r"[0-9.]+")
PORT = re.compile(r":\d*$")
CACHED = 1 << 18


@lru_cache(maxsize=CACHED)
def registrable_domain(text: str) -> str | None:
    """The domain that identifies the company behind a website, host name or e-mail address; None when none does.

    Lower case and IDNA-encoded. Of several addresses in one cell the first that names a company counts; words around
    them, quotes, brackets, doubled schemes and percent-encoding are seen through.

    >>> registrable_domain("https://www.Shop.Müller.co.uk:8443/about?x=1")
    'xn--mller-kva.co.uk'
    >>> registrable_domain("jane@gmail.com") is None
    True
    """
    if PLAIN.fullmatch(text) and text[0] != "-" != text[-1]:
        return _company(text)  # most websites are written like this: nothing to see through
    readable = unquote(text) if "%" in text else text
    hosts = (_host(part) for part in SEVERAL.split(readable.replace("\\", "/")) if part)
    return next((domain for host in hosts if (domain := _company(host)) is not None), None)


def registrable_domains(texts: Iterable[str | None]) -> list[str | None]:
    """The registrable domain of each text; each distinct text is worked out once."""
    known: dict[str | None, str | None] = {None: None}
    return [known[t] if t in known else known.setdefault(t, registrable_domain(t or "")) for t in texts]


def _host(part: str) -> str:
    rest, before = part.strip(AROUND), ""
    if NOT_WEB.match(rest):
        return ""
    while rest != before:
        before, rest = rest, SCHEME.sub("", rest)
    authority = AFTER_HOST.split(rest, maxsplit=1)[0]
    return PORT.sub("", authority.rpartition("@")[2].strip(AROUND)).strip(".").lower()


def _company(host: str) -> str | None:
    name = _ascii(host)
    if name is None or ADDRESS.fullmatch(name):
        return None
    label, domain = _registrable(name)
    excluded = _not_companies()
    if not domain or not LABEL.fullmatch(label) or f"{label}.*" in excluded:
        return None
    parent = name
    while "." in parent:
        if parent in excluded:
            return None
        parent = parent.partition(".")[2]
    return domain


def _registrable(name: str) -> tuple[str, str]:
    """The first label of the registrable domain of a host, and that domain; empty where it has none."""
    label, _, suffix = name.partition(".")
    if suffix in _top_level() and name not in _suffixes():
        return label, name  # acme.com, as most are
    found = _extractor()(name)
    return found.domain, found.top_domain_under_public_suffix


def _ascii(host: str) -> str | None:
    # Hosts with an underscore are no valid names, but exist: dev_1.acme.com is acme.com all the same.
    if PLAIN.fullmatch(host):
        return host
    if "." not in host and host.isascii():
        return None
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii").lower().strip(".") or None
    except (idna.IDNAError, UnicodeError):
        return None


@cache
def _extractor() -> TLDExtract:
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(_extractor().tlds)


@cache
def _top_level() -> frozenset[str]:
    """Suffixes of one label that have no wildcard below them."""
    return frozenset(s for s in _suffixes() if s.isascii() and "." not in s and f"*.{s}" not in _suffixes())


@cache
def _not_companies() -> frozenset[str]:
    page = resources.files("icp").joinpath("not_company_domains.txt").read_text(encoding="utf-8")
    lines = (line.strip() for line in page.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))
