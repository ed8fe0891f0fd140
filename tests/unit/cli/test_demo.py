"""The demo's view fits its terminal, and its report says no whenever something is wrong."""

import asyncio
import io
import json
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from oathward.cli.demo.play import Options, keep_evidence, play
from oathward.cli.demo.report import Report, print_report
from oathward.cli.demo.site import DemoSite
from oathward.cli.demo.story import STEPS, Story, withdrawal
from oathward.cli.demo.view import _due, _program, _View
from oathward.cli.main import run
from oathward_sim.hospital import build
from oathward_sim.judge import Delivery, Finding, Verdict, Withdrawal
from oathward_sim.recipients import Kept, Recipient
from oathward_sim.run import Outcome, Simulation
from oathward_sim.senders import Door, Sender

# messages/sql.py still asks SQLAlchemy for .tuples(); goes when that does.
pytestmark = pytest.mark.filterwarnings("ignore:The Result.tuples:DeprecationWarning")

FINE = Verdict(sent=10, accepted=10, held=1, delivered={"ehr": 9}, expected={"ehr": 9})
OUTCOME = Outcome(FINE, 1.0, turned_away=0, resent=0, repeats=0, answers_differ=0, dropped_on_purpose=0)
WITHDRAWN = Withdrawal("97100000", frozenset({"research-registry"}), 10.0, 11.0, 2.0, last_s=11.4, stopped=7)
LEDGER = {"ok": True, "size": 12, "witnessed_size": 12}
WRONG = {
    "lost": (replace(OUTCOME, verdict=replace(FINE, lost=1)), LEDGER),
    "duplicated": (replace(OUTCOME, verdict=replace(FINE, duplicated=1)), LEDGER),
    "disordered": (replace(OUTCOME, verdict=replace(FINE, disordered=1)), LEDGER),
    "leaked": (replace(OUTCOME, verdict=replace(FINE, leaked=1)), LEDGER),
    "nothing accepted": (replace(OUTCOME, verdict=replace(FINE, accepted=0)), LEDGER),
    "nothing delivered": (replace(OUTCOME, verdict=replace(FINE, delivered={"ehr": 0})), LEDGER),
    "two answers to one message": (replace(OUTCOME, answers_differ=1), LEDGER),
    "a ledger that does not verify": (OUTCOME, {"ok": False}),
    "no ledger": (OUTCOME, None),
}


def test_a_report_is_fine_when_everything_is():
    assert Report.of(OUTCOME, LEDGER, 1, 2.0).ok


@pytest.mark.parametrize("what", WRONG)
def test_a_report_is_not_fine_with(what):
    outcome, ledger = WRONG[what]
    assert not Report.of(outcome, ledger, 1, 2.0).ok


def test_a_report_names_findings_and_no_more_than_fit(capsys):
    verdict = replace(FINE, lost=20, findings=[Finding("lost", "ehr", f"M{n}", "ORU^R01") for n in range(20)])
    print_report(Report.of(replace(OUTCOME, verdict=verdict), LEDGER, 1, 2.0))
    out = capsys.readouterr().out
    assert "lost at ehr: M0 ORU^R01" in out
    assert "and 12 more" in out


def test_what_leaked_stays_in_the_folder_and_a_run_without_a_leak_leaves_nothing(
    tmp_path, monkeypatch, capsys
):
    options = Options(1.0, 1, 1.0, None, drop_one=False, keep=False, quiet=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def a_run(_options, site, simulation, *_more):
        outcome = replace(OUTCOME, verdict=simulation.judge.verdict())
        return Report.of(outcome, LEDGER, 1, 2.0, keep_evidence(site.folder, simulation.judge, outcome))

    async def a_run_that_leaks(options, site, simulation, *more):
        simulation.judge.see(Delivery("ehr", Kept(1.0, "0a1b", b"MSH|"), b"MSH|"))
        return await a_run(options, site, simulation, *more)

    monkeypatch.setattr("oathward.cli.demo.play._play", a_run)
    report = asyncio.run(play(options))
    assert (report.evidence, report.as_dict()["evidence"]) == (None, None)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("oathward.cli.demo.play._play", a_run_that_leaks)
    report = asyncio.run(play(options))
    assert report.as_dict()["evidence"] == str(report.evidence)
    [kept] = report.evidence.iterdir()
    assert json.loads(kept.read_text())["found"] == ["matches nothing that was sent"]
    assert "The data folder stays" in capsys.readouterr().err
    print_report(report)
    assert str(report.evidence) in capsys.readouterr().out


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    site = DemoSite(tmp_path_factory.mktemp("demo"))
    assert run(["init", "--data", str(site.data)]) == 0
    hospital = build(1, datetime(2026, 5, 4, tzinfo=UTC))

    async def make():
        return Simulation(hospital, [Recipient("ehr"), Recipient("vendor-cloud")])

    simulation = asyncio.run(make())
    for name in ("ADT-FEED", "PUMP-01", "PUMP-02", "MONITOR-01", "unknown", "foreign certificate"):
        simulation.senders.append(Sender(name, Door("127.0.0.1", 1), iter(())))
    return _View(site, simulation)


@pytest.mark.parametrize("height", [12, 24, 50])
@pytest.mark.parametrize("width", [30, 58, 64, 80, 96, 140])
def test_the_view_fits(view, width, height):
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(view.render(width, height))
    lines = console.export_text().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert lines[0].startswith("Oathward demo")
    if width >= 58:
        assert any("infusion pumps" in line for line in lines)
    assert any("Nothing is held yet" in line or "held" in line for line in lines)


def test_trouble_stands_first(view):
    console = Console(width=100, record=True, file=io.StringIO())
    verdict = Verdict(lost=2, leaked=1)
    console.print(view._head(verdict))
    assert "lost 2, duplicated 0, leaked 1" in console.export_text()


def test_one_line_says_it_all_where_there_is_no_terminal(view):
    line = view.line()
    assert "nothing lost, duplicated or leaked" in line
    assert "delivered ehr 0" in line


def test_the_report_says_apart_what_was_not_due(capsys):
    verdict = replace(FINE, delivered={"ehr": 410}, expected={"ehr": 406}, optional={"ehr": 4})
    report = Report.of(replace(OUTCOME, verdict=verdict), LEDGER, 1, 2.0)
    print_report(report)
    out = capsys.readouterr().out
    assert "406 delivered of 406 due, and 4 not due" in out
    assert "Not due is what may come and need not" in out
    assert "adopted meanwhile" in out
    assert max(map(len, out.splitlines())) < 80
    assert report.as_dict()["delivered_not_due"] == {"ehr": 4}


def test_hints_fit_80_columns_and_name_commands_there_are(view, capsys):
    import importlib
    import shlex

    from typer.main import get_command

    from oathward.cli.demo.view import opening

    view._site.ports |= {"mllp": 12575, "mllp_tls": 12576, "metrics": 19464, "fhir": 12578}
    opening(view._site, view._simulation.hospital)
    out = capsys.readouterr().out
    hints = [
        line.split("oathward ", 1)[1]
        for line in out.splitlines()
        if line.startswith("  ") and "oathward " in line
    ]
    assert len(hints) == 6
    real = "/tmp/oathward-demo-abcd1234"  # as `mkdtemp` names it where nobody says otherwise
    lines = out.replace(str(view._site.folder), real).replace(_program(), "oathward").splitlines()
    assert any(real in line for line in lines)
    assert all(len(line) < 80 for line in lines)
    for hint in hints:
        name, *rest = shlex.split(hint)
        command = get_command(importlib.import_module(f"oathward.cli.{name.replace('-', '_')}").APP)
        if hasattr(command, "commands"):
            name, *rest = rest
            command = command.commands[name]
        command.make_context(name, rest)  # raises when an option is none


def told(story, verdict, *, after_s):
    """What the story says at an age."""
    story.began_s = time.monotonic() - after_s
    return list(story.next(verdict))


def test_the_story_is_told_in_its_order_and_each_step_once():
    hospital = build(1, datetime(2026, 5, 4, tzinfo=UTC))
    story = Story(hospital, lambda: {"device.unknown": 3})
    withdrawn = replace(FINE, withdrawals=[WITHDRAWN])
    assert told(story, FINE, after_s=1) == []
    assert told(story, FINE, after_s=60)[1] == f"2 {STEPS[1]}"
    assert told(story, FINE, after_s=60)[1] == f"3 {STEPS[2]}"
    assert told(story, FINE, after_s=60) == [], "nobody has withdrawn"
    assert told(story, withdrawn, after_s=60)[1] == f"4 {STEPS[3]}"
    assert told(story, withdrawn, after_s=60) == list(story.rest(withdrawn)) == []


def test_what_flows_is_told_once_it_has_arrived_everywhere():
    hospital = build(1, datetime(2026, 5, 4, tzinfo=UTC))
    story = Story(hospital, dict)
    partly = replace(FINE, delivered={"ehr": 9, "home-care": 0}, expected={"ehr": 9, "home-care": 0})
    assert told(story, partly, after_s=6) == []
    assert told(story, partly, after_s=13)[1] == f"2 {STEPS[1]}", "in any case, after a while"


def test_what_arrived_before_its_sender_knew_was_due_too():
    early = replace(FINE, delivered={"ehr": 14}, expected={"ehr": 9}, optional={"ehr": 2})
    assert _due(early, "ehr") == 12
    assert _due(replace(FINE, delivered={"ehr": 3}), "ehr") == 9


def test_a_short_run_tells_the_rest_at_its_end_and_nothing_that_did_not_happen():
    hospital = build(1, datetime(2026, 5, 4, tzinfo=UTC))
    heads = [line[:1] for line in Story(hospital, dict).rest(FINE) if line[:1].isdigit()]
    assert heads == ["2", "3"]


def test_the_withdrawal_is_told_with_its_time_and_names_nobody():
    hospital = build(1, datetime(2026, 5, 4, tzinfo=UTC))
    said = "\n".join(withdrawal(hospital, WITHDRAWN))
    assert "0.4 s later" in said
    assert "7 messages since then" in said
    assert "nothing of this patient" in "\n".join(withdrawal(hospital, replace(WITHDRAWN, last_s=0.0)))
    who = hospital.withdraws
    assert not any(value in said for value in (who.family, who.given, who.mrn))
    assert max(map(len, said.splitlines())) < 110


def test_the_report_tells_the_time_to_effect():
    found = Report.of(
        replace(OUTCOME, verdict=replace(FINE, withdrawals=[WITHDRAWN])), LEDGER, 1, 2.0
    ).as_dict()
    assert found["withdrawals"] == [
        {
            "told_after_s": 1.0,
            "effect_s": 0.4,
            "effect_s_max": 2.0,
            "at_most_s": 1.4,
            "stopped": 7,
            "path": "desk",
        }
    ]
