"""Promises of ``oathward care``: a list of shifts gives relations from its first to its last moment, and mistakes import nothing."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.care import adt, found, person
from tests.gate import gate_of
from tests.site import Site, bundle, local

from oathward.cli.main import run
from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.inventory.model import Peer
from oathward.vault import care

NURSE = person("p-1", number="E-1")
BASE_US, HOUR_US = 1_777_881_600_000_000, 3_600_000_000  # 2026-05-04T08:00Z
HEADER = "person,unit,patient,from,until\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site on which the ICU has one patient, and two people are known; it has no roles yet."""
    made = Site.make(tmp_path_factory.mktemp("s"))
    made.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    made.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True))
    with gate_of(made) as gate:
        raw = adt("A01", said="20260504080000", mrn="5550001", attending="")
        prepared = handle(gate, Arrival(uuid7(), raw, Peer("127.0.0.1", None, ()), gate.now_us()))
        commit_group(gate, [prepared])
        made.subject, made.stamps = prepared.message.subject, gate.stamps
    from oathward.vault.keeper.keeper import Keeper

    keeper = Keeper(made.settings)
    found(keeper, [(NURSE, []), (person("p-2", number="E-2", state="left"), [])])
    keeper.store.set_meta("founded", "")
    keeper.close()
    return made


def command(site, capsys, *arguments):
    code = run(["care", *arguments, "--data", str(site.folder), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out or err)


def days(count):
    """So many days from now, to the minute: a command lists what holds now."""
    return f"{datetime.now(UTC) + timedelta(days=count):%Y-%m-%dT%H:%M}+00:00"


def shift(site, tmp_path, capsys, text, *more):
    path = tmp_path / "list.csv"
    path.write_text(text)
    return command(site, capsys, "import", str(path), *more)


def related(site, hours):
    from oathward.core.db import connect

    engine = connect(site.settings.database_url)
    asked = care.Asked(site.stamps, 10**18)
    try:
        with read(engine) as db:
            why = care.relation(db, "demo", NURSE, site.subject, BASE_US + int(hours * HOUR_US), asked)
        return why and why.basis
    finally:
        engine.dispose()


def test_a_shift_gives_a_relation_while_it_lasts_and_is_imported_once(site, tmp_path, capsys):
    text = HEADER + "E-1,HOSP|ICU,,2026-05-04T07:00+00:00,2026-05-04T15:00+00:00\n"
    assert shift(site, tmp_path, capsys, text, "--dry-run") == (
        0,
        {"read": 1, "changed": 1, "ended": 0, "dry_run": True},
    )
    assert related(site, 2) is None
    assert shift(site, tmp_path, capsys, text)[1]["changed"] == 1
    assert shift(site, tmp_path, capsys, text)[1]["changed"] == 0
    assert [related(site, h) for h in (-1.01, -1, 6.99, 7)] == [None, "shift", "shift", None]
    recorded = site.records("care.assigned")
    assert (recorded[-1]["body"]["count"], recorded[-1]["body"]["people"]) == (1, ["p-1"])


def test_a_patient_may_be_assigned_and_the_list_ends_what_it_says_no_more(site, tmp_path, capsys):
    text = f"{HEADER}E-1,,5550001^^^HOSP^MR,{days(-1)},{days(1)}\n"
    assert shift(site, tmp_path, capsys, text, "--source", "plan")[0] == 0
    assert related(site, (time.time_ns() // 1_000 - BASE_US) / HOUR_US) == "assignment"
    rows = command(site, capsys, "list")[1]["assignments"]
    assert [(r["person"], r["subject"]) for r in rows] == [("p-1", site.subject)]
    other = HEADER + "E-1,HOSP|ER,,2026-06-01T00:00+00:00,2026-06-02T00:00+00:00\n"
    assert shift(site, tmp_path, capsys, other, "--source", "plan", "--whole")[1]["ended"] == 1
    assert command(site, capsys, "list")[1]["assignments"] == []


def test_ending_one_takes_it_away_at_once(site, tmp_path, capsys):
    text = f"{HEADER}E-1,HOSP|ICU,,{days(-1)},{days(1)}\n"
    assert shift(site, tmp_path, capsys, text)[0] == 0
    (row,) = command(site, capsys, "list")[1]["assignments"]
    assert command(site, capsys, "end", row["id"])[0] == 0
    assert command(site, capsys, "list", "--number", "E-1")[1]["assignments"] == []
    assert command(site, capsys, "end", row["id"])[1]["error"] == "not-found"


def test_units_are_listed_as_they_must_be_written(site, capsys):
    assert command(site, capsys, "units") == (0, {"units": {"HOSP|ICU": 1}})


MISTAKES = {
    "nobody's number": ("E-9,HOSP|ICU,,2026-05-04T07:00,2026-05-04T15:00", "line 2 person"),
    "who left": ("E-2,HOSP|ICU,,2026-05-04T07:00,2026-05-04T15:00", "line 2 person"),
    "nobody": (",HOSP|ICU,,2026-05-04T07:00,2026-05-04T15:00", "line 2 person"),
    "neither unit nor patient": ("E-1,,,2026-05-04T07:00,2026-05-04T15:00", "line 2 unit"),
    "both": ("E-1,HOSP|ICU,5550001^^^HOSP^MR,2026-05-04T07:00,2026-05-04T15:00", "line 2 unit"),
    "a patient nobody has heard of": (
        "E-1,,7770009^^^HOSP^MR,2026-05-04T07:00,2026-05-04T15:00",
        "line 2 patient",
    ),
    "no identifier": ("E-1,,5550001,2026-05-04T07:00,2026-05-04T15:00", "line 2 patient"),
    "no time": ("E-1,HOSP|ICU,,yesterday,2026-05-04T15:00", "line 2 from"),
    "no end": ("E-1,HOSP|ICU,,2026-05-04T07:00,", "line 2 until"),
    "ends before it begins": ("E-1,HOSP|ICU,,2026-05-04T07:00,2026-05-04T06:00", "line 2 until"),
    "an open quotation mark": ('E-1,"HOSP|ICU,,2026-05-04T07:00,2026-05-04T15:00', "not CSV"),
    "longer than a year": ("E-1,HOSP|ICU,,2026-05-04T07:00,2028-05-04T15:00", "within a year"),
}


@pytest.mark.parametrize("what", sorted(MISTAKES))
def test_a_mistake_is_told_by_its_place_and_imports_nothing(site, tmp_path, capsys, what):
    row, place = MISTAKES[what]
    good = "E-1,HOSP|ICU,,2027-05-04T07:00,2027-05-04T15:00\n"
    before = command(site, capsys, "list", "--all")[1]
    code, said = shift(site, tmp_path, capsys, HEADER + row + "\n" + good)
    assert code != 0
    assert place in said["why"]
    assert not [v for v in ("7770009", "5550001", "yesterday", "E-9") if v in json.dumps(said)]
    assert command(site, capsys, "list", "--all")[1] == before


@pytest.mark.parametrize(
    "header", ["person,unit,from", "person,unit,patient,from,until,ward", "", "person,person,from,until"]
)
def test_a_list_with_other_columns_is_refused(site, tmp_path, capsys, header):
    assert shift(site, tmp_path, capsys, header + "\n")[0] != 0
