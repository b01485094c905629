"""One HTTP POST to where people are told: never through a redirect, never to an address inside unless allowed.

The name is resolved once, every address is checked, and the connection goes to a checked address, so that a name that
answers otherwise a moment later leads nowhere. Nothing that is raised or logged holds the URL: it may be a secret.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import stamina

LONGEST_WAIT = 30.0


class DeliveryFailed(Exception):
    """A channel could not be reached, in words that hold no secret; `status` is what it answered, if it did."""

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status


class NotNow(DeliveryFailed):
    """The same, when another try may help."""


@dataclass(frozen=True)
class Target:
    """Where to post and how patiently. `allow_private` admits addresses of this machine and network, and plain http."""

    url: str
    allow_private: bool = False
    timeout: float = 10.0
    attempts: int = 3
    first_wait: float = 0.5


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> None:
    """Post until it is accepted (2xx); tries again after 429, 5xx and failures of the network, with growing jittered waits.

    Raises:
        DeliveryFailed: it was refused, or did not get through; says why.
    """
    url = _checked(target)
    for attempt in stamina.retry_context(
        on=NotNow,
        attempts=target.attempts,
        timeout=LONGEST_WAIT,
        wait_initial=target.first_wait,
        wait_jitter=2 * target.first_wait,
    ):
        with attempt:
            _post_once(target, url, body, headers)


def _checked(target: Target) -> httpx.URL:
    try:
        url = httpx.URL(target.url)
    except httpx.InvalidURL:
        raise DeliveryFailed("its url is not a web address") from None
    if url.scheme != "https" and not (url.scheme == "http" and target.allow_private):
        raise DeliveryFailed("its url does not begin with https://")
    if not url.host:
        raise DeliveryFailed("its url names no host")
    return url


def _post_once(target: Target, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> None:
    address = _address(url, target.allow_private)
    request = httpx.Request(
        "POST",
        url.copy_with(host=address),
        headers={"User-Agent": "icp-refresh", **headers, "Host": url.netloc.decode("ascii")},
        content=body,
        extensions={"timeout": httpx.Timeout(target.timeout).as_dict(), "sni_hostname": url.raw_host.decode("ascii")},
    )
    try:
        with httpx.HTTPTransport() as transport:  # a transport follows no redirect and writes no URL to the log
            response = transport.handle_request(request)
            status = response.status_code
            response.close()
    except httpx.TimeoutException:
        raise NotNow(f"no answer within {target.timeout:g} s") from None
    except httpx.TransportError as error:
        raise NotNow(f"the connection failed ({type(error).__name__})") from None
    _judge(status)


def _judge(status: int) -> None:
    if 200 <= status < 300:
        return
    if status == 429 or status >= 500:
        raise NotNow(f"it answered {status}", status)
    if 300 <= status < 400:
        raise DeliveryFailed(f"it answered {status}: redirects are not followed", status)
    raise DeliveryFailed(f"it answered {status}", status)


def _address(url: httpx.URL, allow_private: bool) -> str:
    """One address of the host, after all of them were found to be public."""
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotNow("its host name cannot be resolved") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise DeliveryFailed(
            "its host is an address of this machine or a private network (`allow_private: true` admits it)"
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet; an IPv4 address inside an IPv6 one is judged as itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast
