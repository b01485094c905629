"""Changed rows posted to a real receiver: signed, in batches, known again by their key, resumed, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from list_receiver import SECRET, ListReceiver, receiving
from published_lists import accounts, apply, plan, project, publish, taken_back, told

from icp.config import Settings
from icp.errors import ConfigError, PartialWriteBack, TryLater


@pytest.fixture
def receiver() -> Iterator[ListReceiver]:
    with receiving() as found:
        yield found


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, receiver: ListReceiver) -> None:
    monkeypatch.setenv("HOOK_URL", receiver.url)
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def hook(folder: Path, *, list_: str = "accounts", more: str = ", allow_private: true") -> Settings:
    text = f"kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET, batch_rows: 3, list: {list_}{more}"
    return project(folder, text, timeout=0.2)


def scores(receiver: ListReceiver) -> dict[str, object]:
    return {account: row["fit_score"] for account, row in sorted(receiver.held.items())}


def test_changed_rows_are_posted_once_and_taken_back(tmp_path: Path, receiver: ListReceiver) -> None:
    settings = hook(tmp_path, list_="helpdesk")
    first = {name: number for number, name in enumerate("abcdefgh", 10)}
    publish(settings, "2026Q2", accounts(**first), "helpdesk")
    assert told(settings)["calls"] == 3
    assert scores(receiver) == first
    content = json.loads(receiver.bodies[0])
    assert (content["schema_version"], content["event"], content["list"]) == (1, "icp.list", "helpdesk")
    assert content["rows"][0]["is_icp_qualified"] is False and content["rows"][0]["known_at"] == "2026-09-30T00:00:00"
    assert told(settings) is None and receiver.carried_out == 3
    publish(settings, "2026Q3", accounts(**{**first, "b": 99, "i": 1}).query("account_id != 'c'"), "helpdesk")
    name = plan(settings)["plan"]
    assert receiver.carried_out == 3
    apply(settings, name)
    assert receiver.carried_out == 4 and json.loads(receiver.bodies[-1])["removed"] == ["c"]
    assert scores(receiver) == {k: v for k, v in {**first, "b": 99, "i": 1}.items() if k != "c"}
    taken_back(settings, name)
    assert scores(receiver) == first
    told(settings)
    assert "c" not in receiver.held and receiver.held["b"]["fit_score"] == 99


@pytest.mark.parametrize("fault", ["hang", "lost"])
def test_a_batch_whose_answer_is_lost_is_recognised_when_it_comes_again(
    tmp_path: Path, receiver: ListReceiver, fault: str
) -> None:
    settings = hook(tmp_path)
    first = {name: number for number, name in enumerate("abcdefgh", 10)}
    publish(settings, "2026Q2", accounts(**first))
    name = plan(settings)["plan"]
    receiver.script = ["answer", fault, fault]  # as often as it is tried
    with pytest.raises(TryLater, match=r"does not take a batch of 3 rows.*goes on where this one stopped") as said:
        apply(settings, name)
    assert "s3cr3t" not in str(said.value)
    done = receiver.carried_out
    assert apply(settings, name)["rows"] == {"ok": 8}
    assert scores(receiver) == first and receiver.carried_out == 3 >= done
    assert len(set(receiver.keys)) == 3  # the batch came again byte for byte, under the same key


def test_a_row_the_receiver_refuses_is_found_and_the_others_arrive(tmp_path: Path, receiver: ListReceiver) -> None:
    settings = hook(tmp_path)
    first = {name: number for number, name in enumerate("abcdefgh", 10)}
    publish(settings, "2026Q2", accounts(**first))
    receiver.bad = {"e"}
    with pytest.raises(PartialWriteBack, match="e: it answered 422"):
        told(settings)
    assert scores(receiver) == {k: v for k, v in first.items() if k != "e"}
    receiver.bad = set()
    assert told(settings)["rows"] == {"ok": 1} and scores(receiver) == first


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "answered 401"),
        (410, "answered 410"),
        (413, r"answered 413.*Lower `batch_rows`"),
        (302, "redirects are not"),
    ],
)
def test_a_receiver_that_takes_nothing_is_left_and_everything_stays_open(
    tmp_path: Path, receiver: ListReceiver, status: int, says: str
) -> None:
    settings = hook(tmp_path)
    publish(settings, "2026Q2", accounts(a=1, b=2, c=3, d=4))
    name = plan(settings)["plan"]
    receiver.script = [status]
    with pytest.raises(ConfigError, match=says):
        apply(settings, name)
    assert receiver.held == {}
    assert apply(settings, name)["rows"] == {"ok": 4}


def test_an_address_of_this_machine_must_be_allowed(tmp_path: Path, receiver: ListReceiver) -> None:
    settings = hook(tmp_path, more="")
    publish(settings, "2026Q2", accounts(a=1))
    with pytest.raises(ConfigError, match="https://"):
        told(settings)
    assert receiver.bodies == []


def test_a_list_there_is_none_of_is_said_with_how_to_make_one(tmp_path: Path, receiver: ListReceiver) -> None:
    settings = hook(tmp_path, list_="helpdesk")
    publish(settings, "2026Q2", accounts(a=1))
    with pytest.raises(ConfigError, match=r"no list 'helpdesk'.*icp new destination helpdesk"):
        plan(settings)
