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

if TYPE_CHECKING:
    from tldextract import TLDExtract

SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/+|https?[:/]+|//)", re.IGNORECASE)
AFTER_HOST = re.compile(r"[/\\?#]")
SEVERAL = re.compile(r"[\s,;|]+")
PLAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")
ADDRESS = re.compile(r"[0-9.]+")
PORT = re.compile(r":\d*$")
CACHED = 1 << 18


@lru_cache(maxsize=CACHED)
def registrable_domain(text: str) -> str | None:
    """The domain that identifies the company behind a website, host name or e-mail address; None when none does.

    Lower case and IDNA-encoded. Of several addresses in one cell the first counts.

    >>> registrable_domain("https://www.Shop.Müller.co.uk:8443/about?x=1")
    'xn--mller-kva.co.uk'
    >>> registrable_domain("jane@gmail.com") is None
    True
    """
    host = _ascii(_host(text).lower())
    if host is None or ADDRESS.fullmatch(host):
        return None
    found = _extractor()(host)
    domain = found.top_domain_under_public_suffix
    unusable = _not_companies()
    if not domain or domain in unusable or found.suffix in unusable:
        return None
    return None if found.is_private and found.top_domain_under_registry_suffix in unusable else domain


def registrable_domains(texts: Iterable[str | None]) -> list[str | None]:
    """The registrable domain of each text; each distinct text is worked out once."""
    known: dict[str | None, str | None] = {None: None}
    return [known[t] if t in known else known.setdefault(t, registrable_domain(t or "")) for t in texts]


def _host(text: str) -> str:
    first = SEVERAL.split(text.strip(), maxsplit=1)[0]
    rest = SCHEME.sub("", first)
    authority = AFTER_HOST.split(rest, maxsplit=1)[0]
    return PORT.sub("", authority.rpartition("@")[2]).strip(".")


def _ascii(host: str) -> str | None:
    # Hosts with an underscore are no valid names, but exist: dev_1.acme.com is acme.com all the same.
    if PLAIN.fullmatch(host):
        return host
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
def _not_companies() -> frozenset[str]:
    page = resources.files("icp").joinpath("not_company_domains.txt").read_text(encoding="utf-8")
    lines = (line.strip() for line in page.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))
