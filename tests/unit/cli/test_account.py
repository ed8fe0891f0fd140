"""``oathward account``: what others did to one's sign-in, what waits for oneself, where one is signed in; here and at a server."""

import json
from contextlib import contextmanager

import pytest
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures
from tests.unit.proposing.test_proposing import LESS

from oathward import granting
from oathward.cli import account, main, signed_in
from oathward.core.settings import Console
from oathward.proposing import turns
from oathward.vault.keeper.client.changes import Proposed
from oathward.vault.keeper.sign_in import notices
from oathward.web.serving.server import Server


@pytest.fixture
def told(site, monkeypatch, capsys, tmp_path):  # noqa: F811  the fixture
    """What ``account`` tells a person, the same here and at a server; as JSON, or as words."""
    server = Server(site.opened, Console(port=0))
    url, data = f"http://127.0.0.1:{server.port}", str(site.opened.settings.data)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    @contextmanager
    def opened(_):
        yield site.opened

    monkeypatch.setattr(account, "opened", opened)

    def run(person, *words):
        secret = site.as_(person)[0]["session"]
        signed_in.remember(data, secret)
        signed_in.remember(url, f"p_{secret}")
        found = []
        for where in (["--data", data], ["--server", url]):
            capsys.readouterr()
            assert main.run(["account", *where, *words]) == 0
            found.append(capsys.readouterr().out)
        if words:
            here, there = map(json.loads, found)
            for one in (here, there):  # the very session that asks
                one["sessions"] = [row | {"used": "", "left_s": 0} for row in one["sessions"]]
            assert here == there
            return there
        assert found[0] == found[1].replace(f" --server {url}", "")
        return found[1]

    yield run
    server.stop()


def test_what_another_did_to_how_one_signs_in_is_told(told, site):  # noqa: F811  the fixture
    assert told("paul", "--json")["notices"] == []
    notices.add(site.keeper, ["paul"], "ines", "reset")
    [one] = told("paul", "--json")["notices"]
    assert (one["what"], one["by"]) == ("reset", "ines")
    assert one["words"].endswith(
        "reset your account: what you signed in with before has ended, and a new invitation was made"
    )
    text = told("paul")
    assert one["words"] in text
    assert "You did not ask for it? Tell whoever looks after security here." in text
    assert told("ines", "--json")["notices"] == []


def test_what_waits_for_somebody_is_told_to_them_and_not_to_who_made_it(told, site):  # noqa: F811  the fixture
    assert told("paul", "--json")["waiting"] == []
    one = site.proposed(LESS)
    [turn] = told("paul", "--json")["waiting"]
    assert (turn["kind"], turn["id"]) == ("policy", one.id)
    assert f"{turn['words']}\n  oathward policy show {one.id} --server http" in told("paul")
    assert told("ines", "--json")["waiting"] == []
    assert told("clara", "--json")["waiting"] == [], "who may not see policy learns of none"


def test_a_role_that_waits_is_told_to_who_may_approve_it(told, monkeypatch):
    one = granting.Waiting(
        Proposed("p-1", b"", "proposed", "adam", 0, "", 0, 0),
        "grant",
        "clara",
        "an audit",
        ("an auditor",),
        True,
    )
    monkeypatch.setattr(granting, "waiting", lambda *_, **__: [one])
    monkeypatch.setattr(turns.people, "any_proposed", lambda *_: True)
    [turn] = told("paul", "--json")["waiting"]
    assert turn == {
        "kind": "people",
        "id": "p-1",
        "words": "adam, “an audit”: an auditor: approve or refuse it",
    }
    assert "  oathward people proposals" in told("paul")
    assert [told(who, "--json")["waiting"] for who in ("adam", "clara", "ines")] == [[], [], []]


def test_where_one_is_signed_in_is_told(told):
    rows = told("paul", "--json")["sessions"]
    assert [row["own"] for row in rows] == [True]
    assert "Signed in: here" in told("paul")
