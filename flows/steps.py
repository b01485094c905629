"""How a step runs: as a plain call, or as a Prefect task when a flow is watching.

A flow's body is written once over `run`; nothing else differs between `icp refresh --plain` and a deployment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Runner(Protocol):
    """Wraps a step function; the result is called with the step's own arguments."""

    def __call__(self, step: Callable[P, R], /) -> Callable[P, R]: ...


def plainly(step: Callable[P, R], /) -> Callable[P, R]:
    """Run the step as an ordinary function call."""
    return step


def as_task(step: Callable[P, R], /) -> Callable[P, R]:
    """Run the step as a Prefect task of the same name: seen in the UI, never cached, never retried.

    Retries belong to network calls only (a refused gate does not pass on the third try), and caching would
    pickle whole label frames.
    """
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    as_prefect_task: Callable[P, R] = task(step, name=step.__name__, cache_policy=NO_CACHE, persist_result=False)
    return as_prefect_task
