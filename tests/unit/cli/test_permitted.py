"""At a site with people a command asks as a page does, and what a role was used for here is noted as a page notes it."""

import json

import pytest
from sqlalchemy.exc import IntegrityError
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures

from oathward.cli import access, asking, findings, keys, people_accounts, permitted, quarantine, strangers
from oathward.cli.main import run
from oathward.cli.people_grants import last_day
from oathward.cli.signed_in import remember
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import AuthorityError, InputError, KeeperError, StorageError
from oathward.core.finding import Raised
from oathward.core.reasons import Reason
from oathward.findings.reconciling import reconcile
from oathward.inventory import actions as inventory
from oathward.inventory.model import Peer
from oathward.ledger import Query, search
from oathward.people import granted_sql
from oathward.people.sheet import parse
from oathward.policy.people import Person
from oathward.vault.keeper.client import transport
from oathward.vault.keeper.operations.admin import SIGNED_FOR


@pytest.fixture
def at_the_desk(site, monkeypatch, tmp_path):  # noqa: F811  a fixture
    """Sit somebody down at a command line of this site, whose keeper is in this process."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    data = str(site.opened.settings.data)

    class Lent:
        """The site as a command opens it; the test closes it."""

        def __enter__(self):
            return site.opened

        def __exit__(self, *_):
            return None

    def sit(person, **how):
        remember(data, site.as_(person, **how)[0]["session"])
        for module in (keys, people_accounts):
            monkeypatch.setattr(module, "opened", lambda _data: Lent())
        return data

    return sit


def used(site):  # noqa: F811  a fixture
    with read(site.opened.engine) as db:
        return granted_sql.uses(db, site.opened.site)


@pytest.mark.parametrize("what", [["rotate", "intake"], ["backup"]])
def test_a_key_holder_who_uses_the_command_line_alone_has_a_used_role(site, at_the_desk, what):  # noqa: F811  a fixture
    data = at_the_desk("kim")
    assert used(site) == {}
    assert run(["keys", *what, "--data", data, "--json"]) == 0
    assert list(used(site)) == [("kim", "key-holder")]


@pytest.mark.parametrize("runs", [True, False])
def test_without_a_keeper_that_runs_it_is_not_the_session_that_is_blamed(site, monkeypatch, tmp_path, runs):  # noqa: F811  a fixture
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    remember(str(site.opened.settings.data), "a-session-of-a-keeper-that-was-stopped-xxxx")
    if runs:  # beside this process: then the session has ended indeed
        monkeypatch.setattr(transport, "_opened", {})
    with pytest.raises(InputError) as error:
        permitted.who_may(site.opened, None, "review.see")
    assert error.value.reason is (Reason.ACCESS_SIGN_IN if runs else Reason.KEEPER_UNAVAILABLE)
    assert ("oathward serve" in error.value.why) is not runs


def test_what_the_keeper_refused_is_no_use(site, at_the_desk):  # noqa: F811  a fixture
    data = at_the_desk("audra")
    assert run(["keys", "backup", "--data", data, "--json"]) != 0
    assert used(site) == {}


WRONG = [
    KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED),
    AuthorityError("bundle", "is not believed"),
    StorageError("database", "locked", reason=Reason.STORAGE_FAILED),
    IntegrityError("", {}, Exception()),
    OSError("gone"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("what", [["rotate", "intake"], ["rotate", "site", "--yes"], ["backup"]])
def test_what_is_done_is_told_though_its_use_cannot_be_noted(
    site,  # noqa: F811  a fixture
    at_the_desk,
    monkeypatch,
    capsys,
    what,
    wrong,
):
    def not_now(*_):
        raise wrong

    data = at_the_desk("kim")
    monkeypatch.setattr(permitted, "_asking", not_now)
    assert run(["keys", *what, "--data", data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert used(site) == {}


def test_a_link_to_enrol_anew_is_told_though_its_use_cannot_be_noted(
    site,  # noqa: F811  a fixture
    at_the_desk,
    monkeypatch,
    capsys,
):
    def not_now(*_):
        raise WRONG[0]

    data = at_the_desk("adam")
    monkeypatch.setattr(permitted, "_asking", not_now)
    monkeypatch.setattr(people_accounts, "_one", lambda *_: Person(id="ines", name="Ines"))
    for command in ("invite", "reset"):
        assert run(["people", command, "ines", "--data", data, "--json"]) == 0
        assert "/enrol?key=" in json.loads(capsys.readouterr().out)["link"]


def test_an_erasure_is_carried_through_though_its_use_cannot_be_noted(
    site,  # noqa: F811  a fixture
    at_the_desk,
    monkeypatch,
    capsys,
    tmp_path,
):
    def not_now(*_):
        raise WRONG[0]

    data = at_the_desk("paul")
    monkeypatch.setattr(permitted, "_asking", not_now)
    monkeypatch.setattr(keys, "_has_traces", lambda *_: True)
    out = tmp_path / "certificate.json"
    assert (
        run(
            [
                "keys",
                "erase",
                "s1",
                "--reason",
                "gdpr.art17",
                "--yes",
                "--out",
                str(out),
                "--data",
                data,
                "--json",
            ]
        )
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert (said["subject"], said["tombstone"]) == ("s1", 1)
    assert json.loads(out.read_bytes()) == said["certificate"]


def test_who_may_notes_it_too_and_a_denial_does_not(site, at_the_desk):  # noqa: F811  a fixture
    at_the_desk("paul")
    assert permitted.who_may(site.opened, None, "review.sign-off") == "paul"
    assert used(site) == {("paul", "privacy-officer"): pytest.approx(site.now_us, abs=10**8)}
    with pytest.raises(Exception, match="do not permit"):
        permitted.asks(site.opened, None, "keys.rotate")
    assert list(used(site)) == [("paul", "privacy-officer")]


def test_the_action_of_a_signed_document_is_the_keepers():
    assert {kind: action for kind, (action, _) in SIGNED_FOR.items()} == asking._ACTION


def test_a_list_with_roles_is_told_how_roles_are_given():
    (error,) = parse(b"number,name,roles\n17,Anna,clinician\n").errors
    assert (error.line, error.column) == (1, "roles")
    assert "oathward people grant PERSON ROLE" in error.why


def test_an_end_is_told_as_the_day_that_was_said():
    until_us = 1_830_297_600_000_000  # 2028-01-01T00:00Z: the end of the day before
    assert (last_day(until_us), last_day(None), last_day(0)) == ("2027-12-31", "", "")


def test_a_finding_or_a_review_is_given_only_to_who_may_see_it(site, at_the_desk, monkeypatch, capsys):  # noqa: F811  a fixture
    opened, now_us = site.opened, micros(site.opened.clock.now())
    data = at_the_desk("prue")
    for module in (findings, access):
        monkeypatch.setattr(module, "opened", lambda _data: keys.opened(None))
    seen = [Raised("flow.undeclared", "a", "endpoint:e-1")]
    reconcile(opened.engine, opened.site, "mapping", seen, opened.settings.findings, now_us)

    def go(*arguments):
        code = run([*arguments, "--data", data, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    [one] = go("findings", "list")[1]["findings"]
    for whom in ("clara", "kim"):
        code, told = go("findings", "assign", one["id"], "--to", whom)
        assert (code, told["error"]) == (65, "access.given-to"), whom
        code, told = go("access", "assign", "1", "--to", whom)
        assert (code, told["error"]) == (65, "access.given-to"), whom
    assert go("access", "assign", "1", "--to", "nobody-here")[1]["error"] == "not-found"
    for whom in ("me", "audra"):
        assert go("findings", "assign", one["id"], "--to", whom)[0] == 0, whom
    assert go("findings", "list")[1]["findings"][0]["owner"] == "audra"


def test_a_record_has_who_signed_in(site, at_the_desk, monkeypatch, capsys):  # noqa: F811  a fixture
    opened, now_us = site.opened, micros(site.opened.clock.now())
    with write(opened.engine) as db:
        peer = Peer("10.9.9.9", b"\x08" * 32)
        held = inventory.remember_unknown(db, opened.site, peer, (b"NOBODY-9", b""), now_us)
    for module in (strangers, quarantine):
        monkeypatch.setattr(module, "opened", lambda _data: keys.opened(None))

    def go(*arguments):
        code = run([*arguments, "--person", "Mallory", "--data", data, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    data = at_the_desk("clara")
    assert go("device", "dismiss", held)[1]["error"] == "access.role"
    assert go("quarantine", "discard", "m-1", "--why", "x")[1]["error"] == "access.role"
    data = at_the_desk("ines")
    assert go("device", "dismiss", held)[0] == 0
    with read(opened.engine) as db:
        body = search(db, opened.site, Query(kind="device.dismissed"))[0].body
    assert "ines" in body.values()
    assert "Mallory" not in str(body)
