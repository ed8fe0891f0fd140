"""``oathward access``: what nothing explains is listed and reviewed, never by who opened it."""

import json
import re

from oathward.accesses import actions
from oathward.app import build
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.settings import load
from oathward.ledger import Record, append, prepare
from oathward.people import views as people

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d"


def test_an_opening_is_listed_explained_and_reviewed(data, capsys, tmp_path):
    def go(*arguments):
        code = run(["access", *arguments, "--data", str(data), "--json"])
        out, _ = capsys.readouterr()
        return code, json.loads(out) if out.strip() else None

    site = build(load(data), "admin")
    now_us = micros(site.clock.now())

    def take():
        with write(site.engine) as db:
            actions.take_in(db, site.site, site.authority, site.seen, review_us=1, now_us=now_us)

    take()
    with write(site.engine) as db:
        body = {"opened": 1, "person": "clerk", "purpose": "TREAT"}
        append(db, site.site, [prepare(Record("keeper.opened", body, now_us, "s-1"))])
    take()
    site.keeper.close()
    site.engine.dispose()
    code, found = go("list", "--waiting")
    [one] = found["openings"]
    assert (code, one["person"], one["subject"], one["reasons"]) == (0, "clerk", "s-1", [])
    assert go("list", "--who", "nobody")[1]["openings"] == []
    assert run(["access", "list", "--waiting", "--data", str(data)]) == 0
    told, hint = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf" *{one['opening']}  {TIME}  clerk  s-1  nothing explains it  due {TIME}", told)
    assert "access review OPENING" in hint
    number = str(one["opening"])
    found_out = tmp_path / "words.txt"
    found_out.write_text("nobody's work: Zebulonova is her neighbour\n")
    words = ("--words-file", str(found_out))
    assert go("review", number, "--outcome", "fine", *words)[0] == 65
    assert go("assign", number, "--to", "clerk")[0] == 77, "never to who opened it"
    assert go("assign", number, "--to", "p-9")[0] == 0
    assert go("show", number)[1]["words"] is None
    assert go("review", number, "--outcome", "misuse", *words)[0] == 0
    assert go("list", "--waiting")[1]["openings"] == []
    assert run(["access", "list", "--waiting", "--data", str(data)]) == 0
    assert capsys.readouterr().out == "Nothing waits for a review.\n"
    shown = go("show", number)[1]
    assert (shown["outcome"], shown["words"]) == ("misuse", "nobody's work: Zebulonova is her neighbour")
    assert [step["step"] for step in shown["steps"]] == ["taken", "assigned", "reviewed"]
    assert go("show", "999")[0] == 66


def test_a_roster_is_imported_whole_or_not_at_all(data, capsys, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("number,unit,from,until\nE1,HOSP|ICU,2026-05-04T19:00Z,2026-05-05T07:00Z\n")
    assert run(["access", "on-call", str(roster), "--data", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"read": 1, "dry_run": False}
    roster.write_text("number,unit,from,until\nE1,HOSP|ICU,2026-05-04T19:00Z,Zebulonova\n")
    assert run(["access", "on-call", str(roster), "--data", str(data), "--json"]) == 65
    told = capsys.readouterr()
    assert "line 2, until" in told.err
    assert "Zebulonova" not in told.err + told.out


def test_an_upload_is_imported_listed_and_ended(data, capsys, tmp_path):
    def go(*arguments):
        code = run(["uploads", *arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.strip() else None, err

    file = tmp_path / "seen.jsonl"
    row = {
        "maker": "Acme",
        "classes": "observation.*",
        "first": "2026-05-04T07:00Z",
        "last": "2026-05-04T08:00Z",
    }
    file.write_text(json.dumps(row))
    assert go("import", str(file), "--dry-run")[1] == {"read": 1, "dry_run": True}
    assert go("import", str(file), "--source", "reported")[0] == 0
    [one] = go("list", "--answer", "never-asked")[1]["uploads"]
    assert (one["maker"], one["source"]) == ("Acme", "reported")
    assert go("end", one["id"])[0] == 0
    assert go("list")[1]["uploads"] == []
    file.write_text(json.dumps(row | {"device": "no-such"}))
    code, _, err = go("import", str(file))
    assert (code, "line 1, device" in err) == (65, True)


def test_a_wrong_patient_of_whom_nothing_was_sent_is_refused(data, capsys):
    times = ("--since", "2026-05-04T07:00Z", "--until", "2026-05-04T08:00Z")
    code = run(
        ["device", "wrong-patient", "mon-1", "--subject", "s-1", *times, "--data", str(data), "--json"]
    )
    assert (code, "sent nothing of this patient" in capsys.readouterr().err) == (66, True)


def test_who_opened_something_is_named_as_people_know_them(data, capsys, monkeypatch):
    site = build(load(data), "admin")
    now_us = micros(site.clock.now())
    with write(site.engine) as db:
        body = {"opened": 1, "person": "p-7", "purpose": "TREAT"}
        append(db, site.site, [prepare(Record("keeper.opened", body, now_us, "s-1"))])
    site.keeper.close()
    site.engine.dispose()
    monkeypatch.setattr(people, "names", lambda _db, _site, ids: dict.fromkeys(ids, "Nils Egger"))
    assert run(["access", "list", "--data", str(data)]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert ("  Nils Egger  " in line, "p-7" in line) == (True, False)
