"""Write-back over real HTTP to a CRM that refuses, limits, loses answers and is edited by people."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from write_back_desk import COLUMNS, NOW, content, crm_of, desk_of, planned, wanted_of

from flows import sync
from icp.destinations.destination import as_text
from icp.errors import ConfigError, PartialWriteBack, TryLater
from icp.fake_vendors.crm_writes import WritableCrm, serving_crm

N = 450


def _apply(desk: sync.Desk, name: str = "p1", **more: Any) -> dict[str, Any]:
    return sync.apply(desk, name, by="ann", at=NOW, **more)


def _holds(crm: WritableCrm, wanted: dict[str, dict[str, str | None]]) -> list[str]:
    """Accounts that do not hold what they should."""
    return [a for a, values in wanted.items() if any(as_text(crm.records[a].get(n)) != v for n, v in values.items())]


@pytest.mark.parametrize("kind", ["hubspot", "salesforce"])
def test_written_verified_repeated_for_nothing_and_undone_to_the_byte(kind: str, tmp_path: Path) -> None:
    bad = {str(1000 + n): "row" for n in range(0, N, 90)}
    crm = crm_of(kind, N, bad=bad, fault_rate=0.1)
    before = copy.deepcopy(crm.records)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url, kind)
        wanted = planned(desk, "p1", wanted_of(kind, N), crm)
        with pytest.raises(PartialWriteBack, match="5 refused"):
            _apply(desk)
        assert sorted(_holds(crm, wanted)) == sorted(bad)
        assert desk.ledger.counts("p1") == {"ok": N - len(bad), "failed": len(bad)}
        calls = crm.calls
        assert _apply(desk)["rows"]["ok"] == N - len(bad) and crm.calls == calls
        assert planned(desk, "p2", {a: v for a, v in wanted_of(kind, N).items() if a not in bad}, crm) == {}
        found = sync.plan_undo(desk, "p1")
        assert crm.calls == calls and crm.records != before
        _apply(desk, found["plan"])
        assert crm.records == before
        assert desk.ledger.held() == {}


def test_a_batch_refused_as_a_whole_loses_only_its_bad_rows(tmp_path: Path) -> None:
    bad = {"1007": "unnamed", "1008": "unnamed", "1211": "batch", "1399": "batch"}
    crm = crm_of("hubspot", N, bad=bad)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        wanted = planned(desk, "p1", wanted_of("hubspot", N), crm)
        with pytest.raises(PartialWriteBack, match=r"1007: Property values were not valid"):
            _apply(desk)
        assert sorted(_holds(crm, wanted)) == sorted(bad)


def test_a_lost_answer_while_a_bad_row_is_looked_for_blames_nobody(tmp_path: Path) -> None:
    # properties, read, whole batch refused; the answer about the first half is lost
    crm = crm_of("hubspot", 100, bad={"1010": "unnamed"}, faults={4: "lost"})
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        wanted = planned(desk, "p1", wanted_of("hubspot", 100), crm)
        with pytest.raises(PartialWriteBack, match="1 refused"):
            _apply(desk)
        assert _holds(crm, wanted) == ["1010"]


def test_what_people_change_before_and_between_our_writes_stays(tmp_path: Path) -> None:
    tier, score, _ = COLUMNS["hubspot"]
    crm = crm_of("hubspot", 10)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        planned(desk, "p1", wanted_of("hubspot", 10), crm)
        crm.records["1004"][tier] = "tier_2"  # after the plan, before it is applied
        _apply(desk)
        assert crm.records["1004"][tier] == "tier_2" and crm.records["1004"][score] == "24"
        crm.records["1001"][tier] = None  # emptied by a person after we wrote
        later = {a: {**v, tier: "tier_1", score: "99"} for a, v in wanted_of("hubspot", 10).items()}
        plan = planned(desk, "p2", later, crm)
        assert tier not in plan["1001"] and plan["1001"][score] == "99"
        _apply(desk, "p2")
        crm.records["1002"][score] = "1"
        _apply(desk, sync.plan_undo(desk, "p2")["plan"])
        assert crm.records["1001"][tier] is None and crm.records["1002"][score] == "1"
        assert crm.records["1003"][score] == "23"


def test_a_lost_answer_is_read_back_and_a_person_s_change_after_it_stays(tmp_path: Path) -> None:
    tier, score, _ = COLUMNS["hubspot"]
    crm = crm_of("hubspot", 10, faults={3: "lost"})  # properties, read, write
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        planned(desk, "p1", wanted_of("hubspot", 10), crm)
        _apply(desk)
        assert crm.writes == 1 and desk.ledger.counts("p1") == {"ok": 10}
    crm = crm_of("hubspot", 10, faults={3: "lost"})
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path / "again", server.url, attempts=1)
        planned(desk, "p1", wanted_of("hubspot", 10), crm)
        with pytest.raises(TryLater, match="goes on where this one stopped"):
            _apply(desk)
        crm.records["1001"][tier] = "tier_3"
        _apply(desk)
        assert crm.writes == 1 and crm.records["1001"][tier] == "tier_3"
        _apply(desk, sync.plan_undo(desk, "p1")["plan"])
        assert crm.records["1001"][tier] == "tier_3" and crm.records["1001"][score] is None


def test_a_lost_property_stops_before_anything_is_sent_and_is_made_on_request(tmp_path: Path) -> None:
    crm = crm_of("hubspot", 30)
    crm.properties.discard("icp_fit_score")
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        wanted = planned(desk, "p1", wanted_of("hubspot", 30), crm)
        with pytest.raises(ConfigError, match=r"lacks icp_fit_score.*--create-properties"):
            _apply(desk)
        assert crm.writes == 0
        _apply(desk, create=True)
        assert _holds(crm, wanted) == []


def test_a_crm_that_refuses_every_row_is_left_and_nothing_is_marked_failed(tmp_path: Path) -> None:
    crm = crm_of("salesforce", 30, bad={str(1000 + n): "row" for n in range(30)})
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url, "salesforce")
        planned(desk, "p1", wanted_of("salesforce", 30), crm)
        with pytest.raises(ConfigError, match="refuses every row"):
            _apply(desk)
        assert desk.ledger.counts("p1") == {"pending": 30}
        crm.bad = {}
        assert _apply(desk)["rows"] == {"ok": 30}


def test_rows_refused_before_do_not_hold_up_the_next_plan(tmp_path: Path) -> None:
    """A second plan that holds nothing but rows the CRM refused already ends with them refused, and can be undone."""
    bad = {str(1000 + n): "row" for n in range(12)}
    crm = crm_of("hubspot", 40, bad=bad)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        planned(desk, "p1", wanted_of("hubspot", 40), crm)
        with pytest.raises(PartialWriteBack, match="12 refused"):
            _apply(desk)
        again = planned(desk, "p2", wanted_of("hubspot", 40), crm)
        assert sorted(again) == sorted(bad)
        with pytest.raises(PartialWriteBack, match="12 refused"):
            _apply(desk, "p2")
        assert desk.ledger.unfinished() == []


def test_a_wrong_key_is_told_without_showing_it(tmp_path: Path) -> None:
    crm = crm_of("hubspot", 3, token="another")
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        planned(desk, "p1", wanted_of("hubspot", 3), crm)
        with pytest.raises(ConfigError, match="401") as refusal:
            _apply(desk)
        assert "fake-token" not in str(refusal.value) and "FAKE_TOKEN" in str(refusal.value)


def test_a_property_lost_on_the_way_stops_the_run_and_blames_no_row(tmp_path: Path) -> None:
    crm = crm_of("hubspot", N)

    def lose(number: int) -> None:
        if number == 2:
            crm.properties.discard("icp_fit_score")

    crm.before_write = lose
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        wanted = planned(desk, "p1", wanted_of("hubspot", N), crm)
        with pytest.raises(ConfigError, match=r"lost icp_fit_score.*--create-properties"):
            _apply(desk)
        counts = desk.ledger.counts("p1")
        assert counts["ok"] == 200 and "failed" not in counts
        assert _apply(desk, create=True)["rows"] == {"ok": N} and _holds(crm, wanted) == []


@pytest.mark.parametrize("how", ["unnamed", "row"])
def test_bad_rows_side_by_side_do_not_pass_for_a_crm_that_refuses_everything(tmp_path: Path, how: Any) -> None:
    bad = dict.fromkeys((str(1000 + n) for n in range(14)), how)
    crm = crm_of("hubspot", N, bad=bad)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        wanted = planned(desk, "p1", wanted_of("hubspot", N), crm)
        with pytest.raises(PartialWriteBack, match="14 refused"):
            _apply(desk)
        assert sorted(_holds(crm, wanted)) == sorted(bad)


def test_a_refusal_is_an_answer_and_lost_ones_around_it_are_not_in_a_row(tmp_path: Path) -> None:
    # properties, read, batch refused; then every half's answer is lost once and read back
    crm = crm_of("hubspot", 100, bad={"1010": "unnamed"}, faults={4: "500", 7: "500", 10: "500", 13: "500"})
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url, attempts=2)
        planned(desk, "p1", wanted_of("hubspot", 100), crm)
        with pytest.raises(PartialWriteBack, match="1 refused"):
            _apply(desk)


def test_a_lost_answer_does_not_cost_what_is_known_about_a_bad_row(tmp_path: Path) -> None:
    calls = []
    for number, faults in enumerate(({}, {5: "lost"}, {6: "500"})):
        crm = crm_of("hubspot", 100, bad={"1066": "unnamed"}, faults=faults)
        with serving_crm(crm) as server:
            desk = desk_of(tmp_path / str(number), server.url)
            planned(desk, "p1", wanted_of("hubspot", 100), crm)
            with pytest.raises(PartialWriteBack, match="1 refused"):
                _apply(desk)
        calls.append(crm.calls)
    assert calls[1] - calls[0] <= 2 and calls[2] - calls[0] <= 2  # it is read back, and sent again if need be


def test_what_a_person_edits_after_a_killed_run_is_no_failure_of_the_next(tmp_path: Path) -> None:
    tier, *_ = COLUMNS["hubspot"]
    crm = crm_of("hubspot", N)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url, attempts=1)
        planned(desk, "p1", wanted_of("hubspot", N), crm)
        crm.faults = {4: "429"}  # properties, read, write; the second read is refused: as good as killed
        with pytest.raises(TryLater):
            _apply(desk)
        assert desk.ledger.counts("p1")["ok"] == 100
        for account in list(crm.records)[:100]:
            crm.records[account][tier] = "tier_9"
        assert _apply(desk)["differs_on_reading_back"] == []


def test_a_value_that_reads_back_otherwise_is_told(tmp_path: Path) -> None:
    _, score, _ = COLUMNS["hubspot"]
    crm = crm_of("hubspot", 10)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url)
        planned(desk, "p1", wanted_of("hubspot", 10), crm)
        kept = crm.answer

        def rounding(method: str, path: str, body: Any) -> tuple[int, Any]:
            answer = kept(method, path, body)
            if path.endswith("batch/update"):
                crm.records["1001"][score] = "2"
            return answer

        crm.answer = rounding  # type: ignore[method-assign]
        with pytest.raises(PartialWriteBack, match="1 of a sample read back otherwise"):
            _apply(desk)


def test_what_is_lacking_is_said_with_what_helps_there_and_an_undo_lacks_nothing(tmp_path: Path) -> None:
    for kind, remedy, not_that in (
        ("hubspot", "--create-properties", "Object Manager"),
        ("salesforce", "Object Manager", "--create-properties"),
    ):
        crm = crm_of(kind, 10)
        lacking = COLUMNS[kind][1]
        crm.properties.discard(lacking)
        with serving_crm(crm) as server:
            desk = desk_of(tmp_path / kind, server.url, kind)
            told = {**content(kind), "lacking": [lacking], "remedy": desk.there.remedy}
            planned(desk, "p1", wanted_of(kind, 10), crm, told)
            said = sync.in_words({**desk.ledger.plan("p1"), "plan": "p1", "rows": []}, kind)
            assert f"It lacks {lacking}" in said and remedy in said and not_that not in said
            with pytest.raises(ConfigError, match=remedy) as refused:
                _apply(desk)
            assert not_that not in str(refused.value)
            crm.properties.add(lacking)
            _apply(desk)
            assert "lacks" not in sync.in_words(sync.plan_undo(desk, "p1"), kind)


def test_salesforce_is_logged_in_to_as_by_a_source_and_again_when_the_session_ends(tmp_path: Path) -> None:
    crm = crm_of("salesforce", N)
    with serving_crm(crm) as server:
        desk = desk_of(tmp_path, server.url, "salesforce")
        planned(desk, "p1", wanted_of("salesforce", N), crm)

        def end_the_session(number: int) -> None:
            crm.token = "ended"

        crm.before_write = end_the_session
        assert _apply(desk)["rows"] == {"ok": N}
        assert crm.logins > 1
        crm.client_secret = "changed"
        planned(desk, "p2", {a: {COLUMNS["salesforce"][1]: "1"} for a in crm.records}, crm)
        with pytest.raises(ConfigError, match=r"refused the login.*FAKE_ID, FAKE_SECRET") as refused:
            _apply(desk_of(tmp_path, server.url, "salesforce"), "p2")
        assert "fake-secret" not in str(refused.value)
