"""What a person waiting sees on stderr: a live line on a terminal, one line per step elsewhere if asked, never stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listener: Callable[[str], None] | None = None


def say(text: str) -> None:
    """Tell whoever is watching what the run is doing now; nobody is watching a scheduled run."""
    if _listener is not None:
        _listener(text)


@contextmanager
def shown() -> Iterator[None]:
    """While this is open, `say` replaces one line under a spinner on a terminal; elsewhere it stays silent."""
    global _listener
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("starting ...") as status:
        _listener = lambda text: status.update(f"{text} ...")  # noqa: E731
        try:
            yield
        finally:
            _listener = None
