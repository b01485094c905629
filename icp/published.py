"""The published side of the lake: one folder per ICP, quarter and revision, written whole, never changed.

A revision is made in a working folder beside its final place, given its manifest last, made durable and renamed. What
is the ICP now is decided by the log of decisions (`approvals.jsonl`); `current.json` repeats the outcome for readers.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from icp import atomic
from icp.errors import ConfigError
from icp.manifest import iso

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"

DecisionKind = Literal["approved", "held", "rejected", "rolled_back", "lapsed"]


@dataclass(frozen=True)
class Commit:
    """The outcome of publishing.

    Attributes:
        path: Folder of the revision that now holds this result.
        revision: Its number.
        is_new: False when the latest revision already was byte for byte the same and nothing was published.
        unexpected: Files that differ from the latest revision although inputs, config and code are equal; empty unless
            something is not deterministic.
    """

    path: Path
    revision: int
    is_new: bool
    unexpected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What a person or the approval policy decided about one revision."""

    quarter: str
    revision: int
    decision: DecisionKind
    by: str
    reason: str
    at: str


class PublishedStore:
    """The published revisions of one ICP. Reading needs no lock; writing happens under `Lake.lock()`."""

    def __init__(self, lake_root: Path, icp: str) -> None:
        self.icp = icp
        self.root = lake_root.absolute() / "published" / icp

    # -- revisions -----------------------------------------------------------------------------------------------------

    def quarters(self) -> list[str]:
        """Quarters with at least one revision, oldest first."""
        names = (path.name for path in self.root.glob("*/") if not path.name.startswith("."))
        return sorted(name for name in names if self.revisions(name))

    def revisions(self, quarter: str) -> list[int]:
        """Revision numbers of a quarter, ascending."""
        folders = (self.root / quarter).glob(f"r*/{MANIFEST}")
        return sorted(int(f.parent.name[1:]) for f in folders if f.parent.name[1:].isdigit())

    def latest(self, quarter: str) -> Path | None:
        """Folder of the quarter's last revision, approved or not."""
        numbers = self.revisions(quarter)
        return self.path(quarter, numbers[-1]) if numbers else None

    def path(self, quarter: str, revision: int) -> Path:
        """Where a revision lies."""
        return self.root / quarter / f"r{revision}"

    def require(self, quarter: str, revision: int) -> Path:
        """Folder of a revision that must exist."""
        path = self.path(quarter, revision)
        if not (path / MANIFEST).exists():
            held = ", ".join(f"r{n}" for n in self.revisions(quarter)) or "no revision"
            raise ConfigError(f"{self.icp} {quarter} has no revision r{revision}; it has {held}.")
        return path

    def manifest(self, revision: Path) -> dict[str, Any]:
        """The manifest in the folder of a revision."""
        content: dict[str, Any] = atomic.read_json(revision / MANIFEST)
        return content

    def fingerprint(self, revision: Path) -> str:
        """A hash of every byte of a revision: what a later quarter was compared with."""
        files = {name: file["sha256"] for name, file in self.manifest(revision)["files"].items()}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

    def open_working(self, quarter: str) -> Path:
        """An empty folder to make a revision in; what earlier runs left unfinished is removed."""
        home = self.root / quarter
        home.mkdir(parents=True, exist_ok=True)
        for stale in home.glob(".*"):
            if not atomic.is_claimed(stale.name.removeprefix(".working-")):
                _remove(stale)
        working = home / f".working-{atomic.claim(quarter)}"
        _remove(working)
        working.mkdir()
        self._write_current(self._decisions())
        return working

    def commit(self, working: Path, quarter: str, manifest: Mapping[str, Any]) -> Commit:
        """Publish a finished working folder as the next revision, or find that nothing changed.

        Args:
            working: The folder `open_working` gave, complete.
            quarter: The quarter it tells.
            manifest: What to keep about it; `run_key` (hash of inputs, config and code) decides whether an equal
                result is a repetition. Hashes of all files are added.
        """
        files = _hashes(working)
        numbers = self.revisions(quarter)
        unexpected: tuple[str, ...] = ()
        if numbers:
            last = self.manifest(self.path(quarter, numbers[-1]))
            if last["run_key"] == manifest["run_key"]:
                unexpected = _differing(last["files"], files)
                if not unexpected:
                    _remove(working)
                    return Commit(self.path(quarter, numbers[-1]), numbers[-1], is_new=False)
        revision = (numbers[-1] if numbers else 0) + 1
        self._seal(working, quarter, revision, manifest, files)
        return Commit(self.path(quarter, revision), revision, is_new=True, unexpected=unexpected)

    def _seal(
        self, working: Path, quarter: str, revision: int, manifest: Mapping[str, Any], files: Mapping[str, Any]
    ) -> None:
        own = {"schema_version": SCHEMA_VERSION, "icp": self.icp, "quarter": quarter, "revision": revision}
        atomic.write_json(working / MANIFEST, {**manifest, **own, "files": files})
        for file in _files(working):
            file.chmod(0o444)
        atomic.rename_folder(working, self.path(quarter, revision))

    def verify(self, quarter: str, revision: int) -> tuple[str, ...]:
        """What is wrong with a published revision, one sentence per file; empty when every byte is as published."""
        path = self.require(quarter, revision)
        recorded, found = self.manifest(path)["files"], _hashes(path)
        verdicts = {name: "is missing" for name in recorded.keys() - found.keys()}
        verdicts |= {name: "was added" for name in found.keys() - recorded.keys()}
        verdicts |= {name: "was changed" for name in recorded.keys() & found.keys() if recorded[name] != found[name]}
        return tuple(f"{name} {verdict}" for name, verdict in sorted(verdicts.items()))

    # -- decisions -----------------------------------------------------------------------------------------------------

    def incumbent(self, before_quarter: str, decided_by: datetime | None = None) -> Path | None:
        """The ICP a new quarter is compared with: the approved revision of the newest quarter before it.

        Args:
            before_quarter: label of the quarter.
            decided_by: count only decisions made up to this instant (a look back); all of them if absent.
        """
        decisions = [d for d in self._decisions() if d.quarter < before_quarter]
        if decided_by is not None:
            decisions = [d for d in decisions if datetime.fromisoformat(d.at) <= decided_by]
        decision = _standing(decisions)
        return self.path(decision.quarter, decision.revision) if decision else None

    def has_decided_by(self, instant: datetime) -> bool:
        """Whether anything had been decided by then; before the first decision the log cannot say what was in force."""
        return any(datetime.fromisoformat(d.at) <= instant for d in self._decisions())

    def current(self) -> dict[str, Any] | None:
        """The decision that makes one revision the ICP now; None when nothing is approved."""
        decision = _standing(self._decisions())
        return asdict(decision) if decision else None

    def decision_on(self, quarter: str, revision: int) -> Decision | None:
        """The last decision about one revision; None while it waits for one."""
        about = [d for d in self._decisions() if (d.quarter, d.revision) == (quarter, revision)]
        return about[-1] if about else None

    def waiting(self) -> list[Decision]:
        """The candidates that wait for a person, oldest first: held, nothing decided since, no later revision of the quarter
        to decide about instead."""
        last = {(d.quarter, d.revision): d for d in self._decisions()}
        held = [decision for _, decision in sorted(last.items()) if decision.decision == "held"]
        return [d for d in held if self.replaced_by(d.quarter, d.revision) is None]

    def replaced_by(self, quarter: str, revision: int) -> Decision | None:
        """What was decided last of a later revision of the same quarter, made from newer inputs; None where there is none.

        One that was rolled back stands for nothing: what it replaced may be decided about again.
        """
        last = {d.revision: d for d in self._decisions() if d.quarter == quarter and d.revision > revision}
        standing = [d for d in last.values() if d.decision != "rolled_back"]
        return max(standing, key=lambda d: d.revision, default=None)

    def standing_in(self, quarter: str) -> Decision | None:
        """The approval that stands for one quarter, in force now or not; None where nothing of it is approved."""
        return _standing([d for d in self._decisions() if d.quarter == quarter])

    def record_decision(
        self, quarter: str, revision: int, decision: DecisionKind, *, by: str, reason: str, at: datetime
    ) -> bool:
        """Decide about a revision; returns False, and writes nothing, when the decision already stands.

        Approving makes it the ICP unless a newer quarter is approved (a backfill does not replace the present).
        "rejected" and "rolled_back" withdraw it: the ICP is then what was approved before. "held" waits for a person,
        "lapsed" did so for too long.
        """
        if decision not in get_args(DecisionKind):
            raise ValueError(f"{decision!r} is not a decision; use one of {', '.join(get_args(DecisionKind))}")
        self.require(quarter, revision)
        decisions = self._decisions()
        if self._stands(decisions, quarter, revision, decision):
            self._write_current(decisions)
            return False
        decisions.append(Decision(quarter, revision, decision, by, reason, iso(at)))
        lines = [json.dumps(asdict(d), sort_keys=True, ensure_ascii=False) for d in decisions]
        atomic.write_bytes(self.root / "approvals.jsonl", ("\n".join(lines) + "\n").encode())
        self._write_current(decisions)
        return True

    def _stands(self, decisions: list[Decision], quarter: str, revision: int, decision: DecisionKind) -> bool:
        if decision == "approved":
            standing = _standing([d for d in decisions if d.quarter == quarter])
            return standing is not None and standing.revision == revision
        last = self.decision_on(quarter, revision)
        return last is not None and last.decision == decision

    def _decisions(self) -> list[Decision]:
        path = self.root / "approvals.jsonl"
        if not path.exists():
            return []
        lines = path.read_bytes().decode().split("\n")  # splitlines would cut a reason at U+2028 or U+0085
        return [Decision(**json.loads(line)) for line in lines if line.strip()]

    def _write_current(self, decisions: list[Decision]) -> None:
        path = self.root / "current.json"
        standing = _standing(decisions)
        if standing is None:
            path.unlink(missing_ok=True)
            return
        where = f"{standing.quarter}/r{standing.revision}"
        content = {"schema_version": SCHEMA_VERSION, "icp": self.icp, "path": where, **asdict(standing)}
        if not path.exists() or path.read_bytes() != atomic.json_bytes(content):
            atomic.write_json(path, content)


def _standing(decisions: list[Decision]) -> Decision | None:
    """The approval in force: of the newest quarter with one, the last given whose revision was not withdrawn since."""
    last = {(d.quarter, d.revision): d.decision for d in decisions}
    approved = [d for d in decisions if d.decision == "approved" and last[d.quarter, d.revision] == "approved"]
    newest = max((d.quarter for d in approved), default=None)
    in_force = [d for d in approved if d.quarter == newest]
    return in_force[-1] if in_force else None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"sha256": atomic.sha256_of(path), "bytes": path.stat().st_size}
        for path in _files(folder)
        if path != folder / MANIFEST
    }


def _differing(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in sorted({*recorded, *found}) if recorded.get(name) != found.get(name))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
