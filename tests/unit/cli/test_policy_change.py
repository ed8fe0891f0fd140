"""``oathward policy`` on a site with people: proposed by one, approved by another, with their sessions; and told in words."""

import json
from dataclasses import replace

import pytest
from tests.unit.policy.test_difference import VENDOR
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures
from tests.unit.proposing.test_proposing import LESS, MORE

from oathward.cli import signed_in
from oathward.cli.main import run
from oathward.core.reasons import Reason


class Line:
    """A command line on which one person after the other is signed in."""

    def __init__(self, people, tmp_path, monkeypatch, capfd):
        self.people, self.tmp_path, self.capfd = people, tmp_path, capfd
        self.data = str(people.opened.settings.data)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def bundle(self, files, name="bundle"):
        home = self.tmp_path / name
        for path, content in files.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_bytes(content)
        return str(home)

    def sign_in(self, person):
        signed_in.remember(self.data, self.people.as_(person)[0]["session"])

    def run(self, *arguments, person=None):
        if person:
            self.sign_in(person)
        code = run(["policy", *arguments, "--data", self.data])
        out, err = self.capfd.readouterr()
        return code, out, err

    def told(self, *arguments, person=None):
        code, out, err = self.run(*arguments, "--json", person=person)
        assert code == 0, err
        return json.loads(out)

    def refused(self, reason, *arguments, person=None):
        code, _, err = self.run(*arguments, person=person)
        assert code != 0
        assert reason.code in err, err
        return err


class Unclosed:
    """What a command closes and the test still needs."""

    def __init__(self, of):
        self._of = of

    def __getattr__(self, name):
        return (lambda: None) if name in {"close", "dispose"} else getattr(self._of, name)


@pytest.fixture
def line(site, tmp_path, monkeypatch, capfd):  # noqa: F811  the fixture
    from contextlib import contextmanager

    from oathward import app
    from oathward.cli import policy_change

    found = Line(site, tmp_path, monkeypatch, capfd)

    @contextmanager
    def opened(_):
        yield site.opened

    monkeypatch.setattr(policy_change, "opened", opened)
    monkeypatch.setattr(
        app,
        "build",
        lambda *_: replace(
            site.opened, keeper=Unclosed(site.opened.keeper), engine=Unclosed(site.opened.engine)
        ),
    )
    return found


def test_two_people_at_the_command_line(line):
    line.people.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    home = line.bundle(LESS)
    code, out, _ = line.run("diff", home)
    assert (code, "less  Maker's telemetry service will no longer get alarms (ORU^R40)." in out) == (0, True)
    code, out, _ = line.run("propose", home, "--why", "less", person="ines")
    assert code == 0
    assert "No decision was recorded in this time: t" in out
    proposal = out.split(":")[0]
    assert f"Next, another person: oathward policy approve {proposal}" in out
    line.refused(Reason.ACCESS_ROLE, "approve", proposal)
    assert line.told("approve", proposal, person="paul")["state"] == "approved"
    assert line.told("activate", proposal, person="ines") == {"active": "starter@2"}
    assert line.told("history")["proposals"][0]["version"] == 2
    assert "approved" in line.run("show", proposal)[1]
    assert f"{proposal}  in force      version 2" in line.run("history")[1]
    assert line.told("rollback", "--why", "back", person="sara") == {"active": "starter@3"}
    history = line.run("history")[1]
    assert f"{proposal}  put in force  version 2" in history
    assert "  in force      version 3 one step back" in history
    shown = line.run("show", proposal)[1]
    assert f"{proposal}: put in force, by" in shown
    assert "active" not in shown


def test_what_is_missing_is_listed_and_stays_a_draft(line):
    code, out, _ = line.run("propose", line.bundle(MORE), "--why", "more", person="ines")
    proposal = out.split(":")[0]
    assert (code, "MISSING  An agreement that covers" in out) == (0, True)
    assert f"oathward policy propose --draft {proposal}" in out
    note = line.tmp_path / "letter.txt"
    note.write_text("dear all")
    assert line.told("attach", proposal, str(note))["name"] == "letter.txt"
    line.people.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    assert line.told("propose", "--draft", proposal)["proposal"]["state"] == "proposed"
    assert line.told("withdraw", proposal, "--why", "no")["state"] == "withdrawn"


WAYS_ROUND = [
    ("the old way, from a folder", ["activate", "{dir}"], "ines", Reason.PROPOSAL_NEEDED),
    ("nobody is signed in", ["propose", "{dir}", "--why", "x"], None, Reason.ACCESS_SIGN_IN),
    ("a clinician proposes", ["propose", "{dir}", "--why", "x"], "clara", Reason.ACCESS_ROLE),
    ("an engineer's emergency", ["emergency", "{dir}", "--why", "x"], "ines", Reason.ACCESS_ROLE),
    ("one's own", ["approve", "{own}"], "paul", Reason.ACCESS_OWN),
    ("an administrator approves", ["approve", "{own}"], "adam", Reason.ACCESS_ROLE),
    ("what nobody approved", ["activate", "{own}"], "paul", Reason.CONFLICT),
    ("no such proposal", ["approve", "01a20288-ff52-7b6a-8082-8825af5eb90d"], "sara", Reason.NOT_FOUND),
    ("an administrator goes back", ["rollback", "--why", "x"], "adam", Reason.ACCESS_ROLE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "arguments", "person", "reason"), WAYS_ROUND, ids=[w[0] for w in WAYS_ROUND]
)
def test_ways_round_it(line, what, arguments, person, reason):
    home = line.bundle(LESS)
    own = line.people.proposed(LESS, "paul").id
    line.refused(reason, *(one.format(dir=home, own=own) for one in arguments), person=person)
    assert line.people.active().version == 1


def test_an_emergency_says_by_when(line):
    code, out, _ = line.run("emergency", line.bundle(LESS), "--why", "recall", person="sara")
    assert (code, "Another person must assess it by" in out) == (0, True)
    assert "not assessed yet" in line.run("history")[1]
    line.refused(Reason.EMERGENCY_TOO_WIDE, "emergency", line.bundle(MORE, "more"), "--why", "x")


def test_a_wrong_use_is_said(line):
    assert "give a folder" in line.refused(Reason.INPUT_INVALID, "propose", person="ines")
    assert VENDOR in LESS
