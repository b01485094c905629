"""Extracts that lie behind a URL: listed by pattern, read whole, and read again only when they have changed.

`s3://` and `gs://` go through Arrow's own file systems, every other scheme through fsspec's (ADR 0014).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icp import atomic
from icp.config import secret
from icp.config_storage import StorageSettings, scheme_of
from icp.errors import ConfigError, TryLater

ARROW = {"s3", "s3a", "gs", "gcs"}
CODE = re.compile(r"AWS Error ([A-Z_]+)")
NO_BUCKET = ("NO_SUCH_BUCKET", "NoSuchBucket", "does not exist", "not found")
REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_CLIENT_TOKEN_ID",
    "UNRECOGNIZED",
)
OTHER_REGION = ("PERMANENT_REDIRECT", "301", "AuthorizationHeaderMalformed")


@dataclass(frozen=True)
class Stored:
    """A file behind a URL.

    Attributes:
        url: Where it lies, as kept in manifests.
        size: In bytes.
        tag: Changes when the file does; None where the storage tells nothing of the kind.
        read: Its bytes.
    """

    url: str
    size: int
    tag: str | None
    read: Callable[[], bytes]


def stored(place: str, pattern: str, settings: StorageSettings) -> list[Stored]:
    """The files a URL with wildcards matches, by name.

    Raises:
        ConfigError: No file matches, the bucket is missing, the credentials are refused, or the scheme is not known.
        TryLater: The storage cannot be reached.
    """
    with explained(place, pattern):
        files, path = file_system(place, pattern, settings)
        if scheme_of(pattern) in ARROW:
            files.ls(_folder(path), detail=False)  # a search takes every failure for an empty folder; this says why
        found = sorted(files.glob(path, detail=True).items())
    matching = [
        Stored(_url(pattern, name), int(info.get("size") or 0), _tag(info), _reader(place, pattern, files, name))
        for name, info in found
        if info.get("type") == "file"
    ]
    if not matching:
        raise ConfigError(f"{place}: no file matches {pattern}. Correct `path`, or put the file there.")
    return matching


class Seen:
    """Hashes of files behind URLs that have not changed since they were read: they need not be read to be known."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, list[Any]] = atomic.read_json(file)["files"] if file.exists() else {}
        self._now: dict[str, list[Any]] = dict(self._known)

    def hash_of(self, each: Stored, digest: Callable[[bytes], str]) -> str:
        """The hash of a file's content, read only where it is new or has changed."""
        told = self._known.get(each.url)
        if told is not None and each.tag is not None and told[:2] == [each.tag, each.size]:
            return str(told[2])
        found = digest(each.read())
        self._now[each.url] = [each.tag, each.size, found]
        return found

    def keep(self) -> None:
        """Remember for the next time."""
        if self._now != self._known:
            atomic.write_json(self._file, {"schema_version": 1, "files": self._now})


def file_system(place: str, pattern: str, settings: StorageSettings) -> tuple[Any, str]:
    """A file system in fsspec's terms, and the pattern in its own."""
    scheme = scheme_of(pattern)
    if scheme in ARROW:
        from fsspec.implementations.arrow import ArrowFSWrapper

        made = _amazon(settings) if scheme in ("s3", "s3a") else _google(settings)
        return ArrowFSWrapper(made, skip_instance_cache=True), pattern.partition("://")[2]
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(pattern, use_listings_cache=False)
    except (ValueError, ImportError) as problem:
        raise ConfigError(f"{place}: {scheme}:// cannot be read here ({problem}).") from None
    return files, path


def _folder(path: str) -> str:
    """The folder in which the first wildcard, or the file, is looked for."""
    return path[: re.search(r"[*?\[]|$", path).start()].rpartition("/")[0]  # type: ignore[union-attr]


def _amazon(settings: StorageSettings) -> Any:
    import pyarrow.fs as arrow

    endpoint = settings.endpoint_url or ""
    if endpoint:  # storage that is not Amazon's seldom takes the checksums its newer clients add to what they put
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    scheme, _, host = endpoint.partition("://")
    keys: dict[str, Any] = {}
    if settings.key_env is not None and settings.secret_env is not None:
        keys = {"access_key": secret(settings.key_env), "secret_key": secret(settings.secret_env)}
    return arrow.S3FileSystem(
        **keys,
        anonymous=settings.anonymous,
        region=settings.region or ("us-east-1" if endpoint else None),
        scheme=scheme or "https",
        endpoint_override=host or None,
        connect_timeout=settings.timeout_seconds,
        request_timeout=settings.timeout_seconds,
    )


def _google(settings: StorageSettings) -> Any:
    from datetime import timedelta

    import pyarrow.fs as arrow

    scheme, _, host = (settings.endpoint_url or "").partition("://")
    limit = timedelta(seconds=settings.timeout_seconds)
    return arrow.GcsFileSystem(
        anonymous=settings.anonymous, scheme=scheme or "https", endpoint_override=host or None, retry_time_limit=limit
    )


def _url(pattern: str, name: str) -> str:
    return name if "://" in name else f"{scheme_of(pattern)}://{name.lstrip('/')}"


def _tag(info: dict[str, Any]) -> str | None:
    for name in ("ETag", "etag", "mtime", "LastModified", "last_modified", "created"):
        if info.get(name) is not None:
            return str(info[name])
    return None


def _reader(place: str, pattern: str, files: Any, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        with explained(place, pattern), files.open(name, "rb") as file:
            return bytes(file.read())

    return read


@contextmanager
def explained(
    place: str,
    pattern: str,
    *,
    key: str = "path",
    verb: str = "list and read",
    later: str = "Run `icp ingest` again later.",
) -> Iterator[None]:
    """What went wrong in words; the storage's own words may hold credentials and are not repeated.

    Raises:
        ConfigError: The bucket is missing or lies elsewhere, or the credentials (named under `key`) may not do that.
        TryLater: The storage cannot be reached.
    """
    try:
        yield
    except (OSError, ConnectionError, TimeoutError) as problem:
        text = str(problem)
        code = CODE.search(text)
        said = f" ({code[1]})" if code else f" ({type(problem).__name__})"
        if isinstance(problem, PermissionError) or any(word in text for word in REFUSED):
            raise ConfigError(
                f"{place}: the storage refuses the credentials for {pattern}{said}. They need to {verb} it."
            ) from None
        if any(word in text for word in OTHER_REGION):
            raise ConfigError(
                f"{place}: {pattern} lies in another region{said}. Set `storage: {{region: …}}`."
            ) from None
        if any(word in text for word in NO_BUCKET) or isinstance(problem, FileNotFoundError):
            raise ConfigError(f"{place}: there is no bucket or folder {pattern}{said}. Correct `{key}`.") from None
        raise TryLater(f"{place}: {pattern} cannot be reached{said}. {later}") from None
