"""Errors a user can act on: shown without a traceback, each with its own exit code (DESIGN, "The command line")."""

from __future__ import annotations

from typing import Any


class IcpError(Exception):
    """Base of every error shown to the user as one clear message.

    `staged` are loads that are whole all the same (answers paid for before a vendor failed): they land before it is shown.
    """

    exit_code = 1
    staged: tuple[Any, ...] = ()


class ConfigError(IcpError):
    """The configuration, the command line or an input file's shape is wrong."""

    exit_code = 2


class GateFailed(IcpError):
    """A gate refused the data: nothing was published, the load or candidate is kept for inspection."""

    exit_code = 3


class DriftFound(IcpError):
    """The monitor says drift and was asked to fail on it (`--fail-on-drift`); its report is kept all the same."""

    exit_code = 4


class LockHeld(IcpError):
    """Another run is writing to this lake."""

    exit_code = 5


class NotEnoughEvidence(IcpError):
    """The data cannot support a profile; a first-class result, not a failure of the run."""

    exit_code = 7


class DeliveryError(IcpError):
    """`icp alert` could not reach a channel; a run that cannot tell somebody only warns and is tried again."""

    exit_code = 6


class PartialWriteBack(IcpError):
    """A write-back is done except for rows the CRM refused; they are in the ledger with its words."""

    exit_code = 6


class TryLater(IcpError):
    """A vendor cannot serve us now (down, over its limit): nothing of this pull is kept, the next run repeats it."""

    exit_code = 75


class ServerLost(TryLater):
    """Prefect's server was gone before a run ended; what the run had done is kept, the next run continues it."""


class NotYet(TryLater):
    """A scheduled refresh waits: the extracts of its quarter are not there yet. Nothing is wrong; the next run looks again."""


# of several ICPs that failed the exit code is that of the gravest
SEVERITY = (1, 3, 2, 4, 5, 6, 7, 75)
