"""``oathward findings``: listed by what matters, one shown with what to do, several decided at once, nobody named to who may not see people."""

import json
import re
from datetime import timedelta

import pytest

from oathward import governing
from oathward.app import build
from oathward.cli import findings as command
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.finding import Raised
from oathward.core.finding_kinds import KINDS
from oathward.core.settings import load
from oathward.findings.reconciling import reconcile


@pytest.fixture
def go(data, capsys):
    """Two findings, and what asks about them."""
    site = build(load(data), "admin")
    seen = [
        Raised("flow.undeclared", "a", "endpoint:e-1", details={"port": 445}),
        Raised("rule.forbids-flow", "r", "link:ehr"),
    ]
    now_us = micros(site.clock.now())
    reconcile(site.engine, site.site, "mapping", seen, site.settings.findings, now_us)
    soon = f"{site.clock.now() + timedelta(days=30):%Y-%m-%d}"
    site.keeper.close()
    site.engine.dispose()

    def ask(*arguments, plain=False):
        form = [] if plain else ["--json"]
        code = run(["findings", *arguments, "--data", str(data), "--person", "Dana", *form])
        out, err = capsys.readouterr()
        return code, out if plain or not out.strip() else json.loads(out), err

    ask.soon = soon
    return ask


def test_they_are_listed_shown_and_decided_together(go):
    listed = go("list")[1]["findings"]
    assert [one["kind"] for one in listed] == ["rule.forbids-flow", "flow.undeclared"]
    ids = [one["id"] for one in listed]
    for verb, more in (
        ("assign", ("--to", "me")),
        ("extend", ("--until", go.soon, "--why", "waits for a part")),
        ("suppress", ("--until", go.soon, "--why", "known")),
        ("note", ("--why", "asked the maker")),
        ("lift", ("--why", "it is not")),
    ):
        assert go(verb, *ids, *more)[:2] == (0, {"done": ids, "left": []}), verb
    assert len(go("list", "--owner", "me")[1]["findings"]) == 2
    shown = go("show", ids[1])[1]
    assert [one["step"] for one in shown["history"]] == [
        "lifted",
        "noted",
        "suppressed",
        "extended",
        "assigned",
        "opened",
    ]
    assert (shown["owner"], shown["state"], shown["details"]) == ("Dana", "open", {"port": 445})
    assert shown["remedy"] == KINDS["flow.undeclared"].remedy
    told = go("show", ids[1], plain=True)[1]
    for words in (KINDS["flow.undeclared"].what, "waits for a part", f"due {go.soon}", "port: 445"):
        assert words in told
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d UTC you: noted asked the maker$", told, re.MULTILINE)
    assert f"you: extended {go.soon} waits for a part" in told, "the day, not the moment behind its end"
    assert "you: assigned you" in told
    assert "given to you" in told
    assert go("suppress", ids[0], "--until", go.soon, "--why", "known")[0] == 0
    code, value, _ = go("lift", *ids, "--why", "no")
    assert (code, value) == (0, {"done": [ids[0]], "left": [ids[1]]})
    assert go("assign", *ids, "--to", "nobody")[0] == 0
    assert len(go("list", "--owner", "nobody")[1]["findings"]) == 2


def test_filters_and_limits(go):
    for arguments, count in (
        (("--severity", "urgent"), 1),
        (("--kind", "flow.undeclared"), 1),
        (("--about", "link:*"), 1),
        (("--about", "ehr"), 1),
        (("--about", "eh"), 0),
        (("--source", "another"), 0),
        (("--state", "cleared"), 0),
        (("--state", "any"), 2),
        (("--overdue",), 0),
        (("--limit", "1"), 1),
    ):
        code, value, _ = go("list", *arguments)
        assert (code, len(value["findings"])) == (0, count), arguments
    assert go("list", "--limit", "1")[1]["more"]
    assert "2 listed." in go("list", plain=True)[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("list", "--state", "closed"), "input.invalid"),
        (("list", "--severity", "grave"), "input.invalid"),
        (("list", "--kind", "flow.undeclare"), "input.invalid"),
        (("show", "none"), "not-found"),
        (("assign", "none", "--to", "me"), "not-found"),
        (("assign", "none", "--to", "Somebody Else"), "not-found"),
        (("suppress", "none", "--until", "soon", "--why", "x"), "input.invalid"),
        (("note", "none", "--why", " "), "input.invalid"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(go, arguments, reason):
    code, _, err = go(*arguments)
    assert code not in (0, 1)
    assert json.loads(err)["error"] == reason


def test_who_may_not_see_people_reads_that_it_is_somebodys(go, monkeypatch):
    monkeypatch.setattr(governing, "owner", lambda *_, **__: "p-ann")  # a site with people has her
    [id_, other] = [one["id"] for one in go("list")[1]["findings"]]
    assert go("assign", id_, "--to", "p-ann")[0] == 0
    assert go("list")[1]["findings"][0]["owner"] == "p-ann"
    monkeypatch.setattr(command, "sees_people", lambda _site, _person: False)
    assert go("assign", other, "--to", "me")[0] == 0
    assert [one["owner"] for one in go("list")[1]["findings"]] == ["somebody", "Dana"]
    shown = go("show", id_)
    assert "p-ann" not in json.dumps(shown[1])
    assert "p-ann" not in go("list", plain=True)[1]
    assert go("list", "--owner", "p-ann")[0] not in (0, 1)
