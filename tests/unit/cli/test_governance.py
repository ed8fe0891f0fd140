"""``oathward governance`` on a real data folder, with persons whom the keeper's key signed."""

import io
import json
import shutil
import sys
from types import SimpleNamespace

import pytest
from tests.site import Site, bundle

from oathward.app import build
from oathward.cli import signed_in
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.labels import Role
from oathward.core.settings import load
from oathward.governance import files, views
from oathward.messages import traffic
from oathward.messages.traffic import HOUR_US, Counts
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.client.people import People
from oathward.vault.keeper.sign_in.visit import Visit

REGISTRY = "research-registry"
PEOPLE = {"p-ann": "Ann", "p-bob": "Bob"}
CONNECTED = (
    "--party",
    "Example University",
    "--role",
    "processor",
    "--hosts",
    "*.example.org",
    "--tls-min",
    "TLSv1.2",
)
CONNECTED += ("--authentication", "server", "--from", "2026-07-01")
AGREED = (
    "--party", "Example University", "--kind", "DUA", "--purposes", "HRESCH", "--destinations", REGISTRY,
    "--classes", "*", "--from", "2026-01-01",
)  # fmt: skip
FOUND = ("--privacy", "fine", "--security", "fine", "--outcome", "acceptable", "--valid-until", "2099-01-01")


@pytest.fixture(scope="module")
def governed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("governed")
    site = Site.make(folder / "s")
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}, (f"file:{folder}", bytes(range(1, 33)))))
    return site.folder


@pytest.fixture
def command(governed, tmp_path, capsys, monkeypatch):
    data = shutil.copytree(governed, tmp_path / "data")
    monkeypatch.setattr(views, "living", lambda _db, _site, _among=None: PEOPLE)

    def go(*arguments, stdin="", plain=False):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        code = run(["governance", *arguments, "--data", str(data), *([] if plain else ["--json"])])
        out, err = capsys.readouterr()
        value = None if plain or not out.strip() else json.loads(out)
        return SimpleNamespace(code=code, value=value, out=out, error=err)

    go.data = data
    return go


def test_an_entry_becomes_active_and_its_findings_go(command):
    before = command("findings")
    assert before.code == 1, "serious findings are an exit code"
    assert command("set", "link/ehr", "--owner", "p-ann", "--steward", "p-bob", "--state", "active").code == 0
    (row,) = command("set", "link/ehr", "--classification", "b;a", "--review-due", "2099-01-01").value[
        "entries"
    ]
    assert (row["state"], row["classification"], row["version"]) == ("active", ["a", "b"], 2)
    shown = command("show", "link/ehr").value
    assert shown["findings"] == []
    assert {one["field"] for one in shown["history"]} >= {"owner", "state", "classification"}
    listed = command("list", "--kind", "link", "--state", "active").value["entries"]
    assert [one["id"] for one in listed] == ["ehr"]
    assert "Ann p-ann" in command("list", plain=True).out


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("set", "link/ehr", "--owner", "p-nobody"), 65, "governance.owner-missing"),
        (("set", "link/ehr", "--state", "active"), 65, "governance.owner-missing"),
        (("set", "link/ehr", "--state", "suspended"), 65, "governance.transition"),
        (("set", "link/ehr"), 65, "input.invalid"),
        (("set", "thing/ehr", "--owner", "p-ann"), 65, "input.invalid"),
        (("set", "link/ehr", "--review-due", "soon"), 65, "input.invalid"),
        (("show", "link/none"), 66, "not-found"),
        (("list", "--kind", "link", "--state", "asleep"), 65, "input.invalid"),
        (("agreement", "end", "none"), 66, "not-found"),
        (("connection", "end", "none"), 66, "not-found"),
        (("connection", "add", "c-1", *CONNECTED[:-1], "May"), 65, "input.invalid"),
        (("agreement", "add", "A-1", *AGREED[:-1], "May"), 65, "input.invalid"),
        (("assessment", "add", "link/none", *FOUND), 66, "not-found"),
        (("assessment", "add", "purpose/CURIOSITY", *FOUND), 65, "input.invalid"),
        (("assessment", "approve", "none"), 66, "not-found"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(command, arguments, code, why):
    done = command(*arguments)
    assert json.loads(done.error)["error"] == why
    assert done.code == code


def test_an_agreement_is_kept_with_its_paper_and_covers_its_link(command, tmp_path):
    paper = tmp_path / "dua.pdf"
    paper.write_bytes(b"%PDF signed by both")
    row = command("agreement", "add", "DUA-2026-001", *AGREED, "--file", str(paper)).value["agreement"]
    assert row["file"] == "dua.pdf"
    assert files.kept(command.data, row["digest"]) == paper.read_bytes()
    assert command("agreement", "add", "DUA-2026-001", *AGREED).code != 0, "one that is there does not change"
    again = command("agreement", "add", "DUA-2026-001", *AGREED, "--change").value["agreement"]
    assert (again["version"], again["digest"]) == (2, row["digest"]), "and keeps its paper"
    (listed,) = command("agreement", "list").value["agreements"]
    assert listed["links"] == {REGISTRY: []}
    assert command("agreement", "end", "DUA-2026-001").code == 0
    (listed,) = command("agreement", "list").value["agreements"]
    assert listed["links"][REGISTRY] != []


def test_a_connection_is_written_listed_and_ended(command):
    row = command("connection", "add", "c-1", *CONNECTED).value["connection"]
    assert (row["hosts"], row["authentication"]) == (["*.example.org"], "server")
    assert command("connection", "add", "c-1", *CONNECTED).code != 0, "one that is there does not change"
    assert command("connection", "add", "c-1", *CONNECTED, "--change").value["connection"]["version"] == 2
    (listed,) = command("connection", "list").value["connections"]
    assert (listed["in_force"], listed["lacks"]) == (True, ["names no agreement"])
    assert command("set", "connection/c-1", "--title", "Registry").code == 0
    assert command("connection", "end", "c-1").code == 0
    (listed,) = command("connection", "list").value["connections"]
    assert (listed["in_force"], listed["lacks"]) == (False, ["names no agreement"])


def test_an_assessment_is_approved_by_another_person(command):
    made = command("assessment", "add", f"link/{REGISTRY}", *FOUND, "--person", "p-ann").value["assessment"]
    refused = command("assessment", "approve", made["id"], "--person", "p-ann")
    assert json.loads(refused.error)["error"] == "access.own"
    assert command("assessment", "approve", made["id"], "--person", "p-bob").code == 0
    (listed,) = command("assessment", "list").value["assessments"]
    assert listed["lacks"] == []
    assert command("assessment", "reopen", made["id"]).code == 0
    (listed,) = command("assessment", "list").value["assessments"]
    assert listed["lacks"] != []


def test_a_list_says_all_its_mistakes_and_imports_nothing(command):
    text = "kind,id,owner,steward,state\nlink,ehr,p-ann,p-bob,active\nlink,b,p-x,,\nrecipient,ehr,,,active\n"
    done = command("import", "-", stdin=text)
    assert done.code == 65
    assert [(e["line"], e["column"]) for e in done.value["errors"]] == [
        (3, "owner"),
        (4, "owner"),
        (4, "steward"),
    ]
    assert command("list", "--state", "active").value["entries"] == []
    good = text.splitlines()[:2]
    assert command("import", "-", "--dry-run", stdin="\n".join(good)).value["entries"] == 1
    assert command("list", "--state", "active").value["entries"] == []
    assert command("import", "-", stdin="\n".join(good)).code == 0
    assert [one["id"] for one in command("list", "--state", "active").value["entries"]] == ["ehr"]


def test_agreements_are_imported_all_or_none(command):
    head = "id,party,kind,purposes,destinations,classes,from\n"
    bad = command(
        "agreement",
        "import",
        "-",
        stdin=head + "A-1,P,DUA,HRESCH,r,*,2026-01-01\nA-2,P,DUA,X,r,*,2026-01-01\n",
    )
    assert (bad.code, [e["line"] for e in bad.value["errors"]]) == (65, [3])
    assert command("agreement", "list").value["agreements"] == []
    one = head + "A-1,P,DUA,HRESCH,r,*,2026-01-01\n"
    assert command("agreement", "import", "-", stdin=one).code == 0
    assert command("agreement", "import", "-", stdin=one).code == 65, "it is there"
    assert command("agreement", "import", "-", "--change", stdin=one).code == 0


def test_the_record_of_processing_is_written_in_every_form(command, tmp_path):
    value = command("ropa").value
    assert {row["id"] for row in value["rows"]} > {"ehr", REGISTRY, "ledger"}
    assert value["missing"]
    for style, begins in (
        ("csv", "Processing,"),
        ("html", "<!doctype html>"),
        ("text", "Record of processing"),
    ):
        out = tmp_path / f"ropa.{style}"
        assert command("ropa", "--format", style, "--out", str(out)).value["rows"] == len(value["rows"])
        assert out.read_text().startswith(begins)


def test_quality_is_counted_by_kind_and_link(command):
    site = build(load(command.data), "admin")
    hour_us = micros(site.clock.now()) // HOUR_US * HOUR_US
    with write(site.engine) as db:
        traffic.add(
            db, site.site, {(hour_us, "pump", ""): Counts(10, late=3), (hour_us, "pump", "ehr"): Counts(9)}
        )
    site.keeper.close()
    found = command("quality", "--days", "1").value
    assert [(r["about"], r["messages"], r["late"]) for r in found["by_kind"]] == [("pump", 10, 3)]
    assert [(r["about"], r["messages"]) for r in found["by_link"]] == [("ehr", 9)]
    assert "pump" in command("quality", plain=True).out


class TestWhoMay:
    """On a site with people a name is not enough, and not everybody's session."""

    @pytest.fixture
    def founded(self, command, monkeypatch):
        monkeypatch.setattr(Client, "state", lambda _self: {"founded": True})
        monkeypatch.setenv("XDG_CONFIG_HOME", str(command.data))
        return command

    @pytest.mark.parametrize(
        "arguments",
        [
            ("set", "link/ehr", "--title", "x"),
            ("import", "-"),
            ("agreement", "add", "A-1", *AGREED),
            ("agreement", "import", "-"),
            ("agreement", "end", "A-1"),
            ("assessment", "add", "purpose/HRESCH", *FOUND),
            ("assessment", "approve", "x"),
            ("assessment", "reopen", "x"),
        ],
    )
    def test_nobody_who_is_not_signed_in_changes_anything(self, founded, arguments):
        stdin = "kind,id\nlink,ehr\n" if arguments[0] == "import" else "id\n"
        done = founded(*arguments, "--person", "p-ann", stdin=stdin)
        assert json.loads(done.error)["error"] == "access.sign-in"

    @pytest.mark.parametrize(
        ("role", "may"), [(Role.PRIVACY_OFFICER, True), (Role.AUDITOR, False), (Role.ADMINISTRATOR, False)]
    )
    def test_policies_say_who_of_those_who_are(self, founded, monkeypatch, role, may):
        signed_in.remember(str(founded.data), "a-secret-of-forty-characters-or-so-xxxxx")
        visit = Visit("s-1", "Ann", True, 3_600, "p-ann", frozenset({role}), strong=True, fresh=True)
        monkeypatch.setattr(Client, "session_check", lambda _self, _proof, *, used: visit)
        monkeypatch.setattr(People, "session_rotate", lambda _self, _proof: "")
        done = founded("set", "link/ehr", "--title", "x", "--person", "somebody else")
        if may:
            assert founded("show", "link/ehr").value["history"][0]["by"] == "p-ann", "whoever was named"
        else:
            assert json.loads(done.error)["error"] == "access.role"

    @pytest.mark.parametrize("role", [Role.PRIVACY_OFFICER, Role.INTEGRATION_ENGINEER])
    @pytest.mark.parametrize("name", ["4711", "ann@hospital.example"])
    def test_who_may_not_see_people_names_them_by_id_alone(self, founded, monkeypatch, role, name):
        """Else every address could be tried until one is somebody's."""
        found = SimpleNamespace(person=SimpleNamespace(id="p-ann"))
        monkeypatch.setattr("oathward.governing.people.find", lambda *_: found)
        signed_in.remember(str(founded.data), "a-secret-of-forty-characters-or-so-xxxxx")
        visit = Visit("s-1", "Bob", True, 3_600, "p-bob", frozenset({role}), strong=True, fresh=True)
        monkeypatch.setattr(Client, "session_check", lambda _self, _proof, *, used: visit)
        monkeypatch.setattr(People, "session_rotate", lambda _self, _proof: "")
        done = founded("set", "link/ehr", "--owner", name)
        if role is Role.PRIVACY_OFFICER:
            assert done.value["entries"][0]["owner"] == "p-ann"
        else:
            assert json.loads(done.error)["error"] == "governance.owner-missing"
        assert founded("set", "link/ehr", "--owner", "p-ann").code == 0
