"""``oathward policy … --server``: two people change the policy from their own machines; the server decides as ever."""

import hashlib
import json
import os
from contextlib import contextmanager

import pytest
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures
from tests.unit.proposing.test_proposing import LESS, MORE, OTHER

from oathward import proposing
from oathward.cli import main, policy_change, remote, signed_in
from oathward.core.settings import Console
from oathward.web.serving.server import Server


@pytest.fixture
def served(site, monkeypatch, capsys, tmp_path):  # noqa: F811  the fixture
    """The site's console on a socket; ``run(person, words…)`` gives exit code, what was told, and what was said of errors."""
    server = Server(site.opened, Console(port=0))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("OATHWARD_SERVER", f"http://127.0.0.1:{server.port}")

    def run(person, *words, plain=False):
        monkeypatch.setenv("OATHWARD_TOKEN", f"p_{site.as_(person)[0]['session']}")
        capsys.readouterr()
        code = main.run(["policy", *words, *([] if plain else ["--json"])])
        said = capsys.readouterr()
        return code, (said.out if plain else json.loads(said.out or "null")), said.err

    site.run = run
    yield site
    server.stop()


@pytest.fixture
def less(tmp_path):
    return written(tmp_path / "less", LESS)


def written(place, files):
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    return str(place)


def proposed(served, less):
    code, told, wrong = served.run("ines", "propose", less, "--why", "less for the maker")
    assert (code, told["proposal"]["state"]) == (0, "proposed"), wrong
    return told["proposal"]["id"]


def test_from_a_folder_to_the_version_in_force_and_back(served, less, site):  # noqa: F811  the fixture
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    words = "Maker's telemetry service will no longer get alarms (ORU^R40)."
    code, told, _ = served.run("ines", "diff", less)
    assert (code, [c["words"] for c in told["changes"]]) == (0, [words])
    one = proposed(served, less)
    assert served.run("paul", "approve", one)[1]["approver"] == "paul"
    assert served.run("ines", "activate", one)[1] == {"active": served.active().label}
    assert served.active().version == 2
    code, text, _ = served.run("paul", "show", one, plain=True)
    assert code == 0
    for part in (
        f"{one}: in force, by ines: less for the maker",
        f"less  {words}",
        "No decision was recorded in this time: t",
        "approved",
    ):
        assert part in text
    code, text, _ = served.run("paul", "history", plain=True)
    assert f"{one}  in force      version 2  ines, paul  less for the maker" in text
    assert served.run("paul", "rollback", "--why", "alarms are needed")[0] == 0
    assert served.active().version == 3
    assert served.active_files() != LESS
    text = served.run("paul", "history", plain=True)[1]
    assert f"{one}  put in force  version 2" in text
    assert "  in force      version 3 one step back" in text
    text = served.run("paul", "show", one, plain=True)[1]
    assert f"{one}: put in force, by ines" in text
    assert "  put in force  " in text
    assert "active" not in text


def test_people_are_named_to_who_may_see_people(served, less, monkeypatch):
    proposed(served, less)
    asked = remote.Server.get

    def get(server, path, **query):  # the fixture's people are signed, and on no list
        return {"name": "Ines Named"} if path == "/api/v1/people/ines" else asked(server, path, **query)

    monkeypatch.setattr(remote.Server, "get", get)
    assert "Ines Named  less for the maker" in served.run("paul", "history", plain=True)[1]


def test_ones_own_is_not_approved(served, less):
    code, told, wrong = served.run("paul", "propose", less, "--why", "less for the maker")
    assert code == 0, wrong
    code, _, wrong = served.run("paul", "approve", told["proposal"]["id"])
    assert (code != 0, "access.own" in wrong) == (True, True), wrong
    assert served.active().version == 1


def test_who_proposed_takes_back_and_another_refuses(served, less):
    for who, state in (("ines", "withdrawn"), ("paul", "refused")):
        one = proposed(served, less)
        code, told, wrong = served.run(who, "withdraw", one, "--why", "not now")
        assert (code, told["state"]) == (0, state), wrong


def test_what_it_needs_and_does_not_have_leaves_a_draft(served, tmp_path):
    code, told, _ = served.run("ines", "propose", written(tmp_path / "more", MORE), "--why", "more")
    assert (code, told["proposal"]["state"]) == (0, "draft")
    assert [need["met"] for need in told["needs"]].count(False) > 0
    code, text, _ = served.run(
        "ines", "propose", "--draft", told["proposal"]["id"], "--days", "3", plain=True
    )
    assert (code, "MISSING" in text) == (0, True)


def test_a_letter_is_attached_and_the_draft_proposed(served, site, tmp_path):  # noqa: F811  the fixture
    one = served.run("ines", "propose", written(tmp_path / "more", MORE), "--why", "more")[1]["proposal"][
        "id"
    ]
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"%PDF\x00\xff no text")
    code, told, wrong = served.run("ines", "attach", one, str(letter))
    assert (code, told) == (0, {"proposal": one, "name": "letter.pdf", "bytes": 14}), wrong
    text = served.run("ines", "attach", one, str(letter), "--name", "once more", plain=True)[1]
    assert text == f"Attached once more to {one}.\n"
    kept = proposing.shown(site.opened, one).view.attachments
    assert [(a.name, a.by, a.digest) for a in kept if a.kind == "note"] == [
        (name, "ines", hashlib.sha256(letter.read_bytes()).hexdigest())
        for name in ("letter.pdf", "once more")
    ]
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    assert served.run("ines", "propose", "--draft", one)[1]["proposal"]["state"] == "proposed"
    code, _, wrong = served.run("ines", "attach", one, str(letter))
    assert (code != 0, "conflict" in wrong) == (True, True), wrong


@pytest.fixture
def here(served, monkeypatch, capsys):
    """The same commands at the site's own machine; ``here(person, words…)`` gives what was told."""

    @contextmanager
    def opened(_):
        yield served.opened

    monkeypatch.setattr(policy_change, "opened", opened)
    data = str(served.opened.settings.data)

    def run(person, *words):
        signed_in.remember(data, served.as_(person)[0]["session"])
        capsys.readouterr()
        assert main.run(["policy", *words, "--server", "", "--data", data]) == 0
        return capsys.readouterr().out

    return run


def test_both_ways_tell_the_same_in_the_same_words(served, here, less, site, tmp_path):  # noqa: F811  the fixture
    def same(person, *words):
        there = served.run(person, *words, plain=True)[1].replace(f" --server {url}", "")
        assert here(person, *words) == there
        assert json.loads(here(person, *words, "--json")) == served.run(person, *words)[1]
        return there

    url = os.environ["OATHWARD_SERVER"]
    same("ines", "history")
    same("ines", "diff", less)
    draft = served.run("ines", "propose", written(tmp_path / "more", MORE), "--why", "more")[1]["proposal"][
        "id"
    ]
    assert f"then oathward policy propose --draft {draft}" in same("ines", "show", draft)
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    one = proposed(served, less)
    assert f"Next, another person: oathward policy approve {one}" in same("paul", "show", one)
    assert f"oathward policy approve {one} --server {url}" in served.run("paul", "show", one, plain=True)[1]
    assert served.run("paul", "approve", one)[0] == 0
    assert f"Next: oathward policy activate {one}" in same("ines", "show", one)
    assert here("ines", "activate", one) == f"Active: {served.active().label}.\n"
    assert f"{one}: in force, by ines: less for the maker\nOn version 1, and 2 is in force\n" in same(
        "ines", "show", one
    )
    assert f"It is stale. Next: oathward policy propose --rebase {draft}" in same("ines", "show", draft)
    assert "emergency, not assessed yet" not in same("ines", "history")
    other = LESS | {"bundle.toml": OTHER["bundle.toml"]}
    told = here("paul", "emergency", written(tmp_path / "other", other), "--why", "needed")
    assert told.startswith("In force as version 3. Proposal ")
    assert "version 3 emergency, not assessed yet" in same("ines", "history")


def test_an_emergency_and_its_assessment(served, less):
    code, told, wrong = served.run("paul", "emergency", less, "--why", "the maker's service leaks")
    assert (code, told["version"]) == (0, 2), wrong
    assert served.run("prue", "approve", told["id"])[1]["assessed"] is True


def test_every_mistake_is_said_and_nothing_is_written_down(served, tmp_path):
    broken = LESS | {"links/ehr.toml": b"no = toml =", "policies/own.cedar": b"permit("}
    code, _, wrong = served.run("ines", "propose", written(tmp_path / "broken", broken), "--why", "oops")
    assert code != 0
    assert "links/ehr.toml" in wrong
    assert "policies/own.cedar" in wrong
    assert served.run("ines", "history")[1] == {"proposals": []}


@pytest.mark.parametrize(
    "words",
    [("show", "../../people"), ("approve", "a?b"), ("activate", "0" * 8 + "-0000-0000-0000-" + "0" * 12)],
)
def test_what_is_no_proposal_is_not_found(served, words):
    code, _, wrong = served.run("paul", *words)
    assert code != 0
    assert json.loads(wrong)["error"] == "not-found"


def test_who_may_not_sees_that_there_is_nothing(served, less):
    code, _, wrong = served.run("clara", "propose", less, "--why", "mine")
    assert code != 0
    assert "not-found" in wrong
