"""What several contract tests stand on: an object store with a bucket of the module's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store import KEY, SECRET, object_store


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder behind the bucket that the module names (`BUCKET`), and the address of the server."""
    bucket = tmp_path_factory.mktemp("store") / request.module.BUCKET
    bucket.mkdir()
    with object_store(bucket.parent) as url:
        yield bucket, url


@pytest.fixture
def store_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its credentials, in the variables STORE_KEY and STORE_SECRET."""
    monkeypatch.setenv("STORE_KEY", KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET)
