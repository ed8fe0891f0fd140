"""``oathward break-glass``: whoever reviews sees what waits, the words once they look, and says what it comes to; others are refused."""

import json

import pytest
from tests.unit.vault.keeper.test_breaking import admitted, begin, mrn, nothing_stands, records, world

from oathward.cli import break_glass
from oathward.cli.main import run as oathward

__all__ = ["mrn", "nothing_stands", "world"]


@pytest.fixture
def run(world, monkeypatch, capsys):
    """Run a command as somebody; gives its exit code and what it printed."""

    def command(who, *given):
        monkeypatch.setattr(break_glass, "proof_of", lambda *_: world.enter(who))
        code = oathward(["break-glass", *given, "--data", str(world.site.folder), "--json"])
        return code, "".join(capsys.readouterr())

    return command


@pytest.fixture
def broken(world, mrn):
    subject, _ = admitted(world, mrn)
    nurse = world.enter("p-nurse")
    found = begin(world, nurse, subject, words="no pulse at all")
    world.app.glass.end(found.id, nurse)
    return found


def test_what_waits_is_listed_without_its_words(run, broken):
    code, out = run("p-privacy", "list")
    (row,) = json.loads(out)["glasses"]
    assert (code, row["id"], row["state"], row["code"]) == (0, broken.id, "waits", "life-threat")
    assert "no pulse" not in out


def test_a_look_shows_the_words_on_record_and_a_review_closes_it(run, world, broken):
    assert json.loads(run("p-privacy", "review", broken.id)[1])["words"] == "no pulse at all"
    assert records(world, "breakglass.looked")[-1]["body"]["by"] == "p-privacy"
    assert run("p-privacy", "review", broken.id, "--justified", "--why", "resuscitation")[0] == 0
    assert json.loads(run("p-privacy", "list")[1])["glasses"] == []
    assert json.loads(run("p-privacy", "list", "--all")[1])["glasses"][0]["said"] == "resuscitation"
    assert run("p-privacy", "review", broken.id, "--not-justified", "--why", "again")[0] != 0


@pytest.mark.parametrize("who", ["p-nurse", "p-admin", "p-auditor"])
def test_others_review_nothing(run, broken, who):
    code, out = run(who, "review", broken.id, "--justified", "--why", "fine")
    assert code != 0
    assert "no pulse" not in out


def test_a_reason_goes_with_an_outcome(run, broken):
    assert run("p-privacy", "review", broken.id, "--justified")[0] != 0
    assert run("p-privacy", "review", broken.id, "--why", "x")[0] != 0
