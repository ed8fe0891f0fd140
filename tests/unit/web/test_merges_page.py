"""Promises of Merges: both patients side by side on record, one word for one edge, and nobody else's cards by it."""

import json

import orjson
import pytest
from tests.care import adt
from tests.unit.web.test_patients_page import BASE, mrn, now, post, take, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.patients import sql, views
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.keeper import merging
from oathward.vault.keeper.operations.admin import sign_alone
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.signing import Wanted


@pytest.fixture
def edge(world, mrn):  # noqa: F811  the fixture
    """Two patients with cards whom a message makes one."""
    other = f"8{mrn[1:]}"
    said = now(world, 70)
    take(world, adt("A01", said=said, mrn=mrn, name="Zebulonova^Quixotella"))
    take(world, adt("A01", said=said, mrn=other, name="Zebulon^Quixote", visit=f"V{mrn}^^^HOSP^VN"))
    take(world, adt("A40", said=now(world, 60), mrn=mrn, mrg=other))
    with read(world.gate.engine) as db:
        return max((e for e in sql.edges(db, world.gate.site) if e.kind == "merged"), key=lambda e: e.id)


def together(world, subject):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        anchor = trust_anchor(world.site.settings)
        return set(views.confirmed_family(db, world.gate.site, subject, anchor, Seen()))


def records(world, kind, subject):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        rows = db.exec_driver_sql(
            "SELECT body FROM ledger_record WHERE kind = ? AND subject = ? ORDER BY idx", (kind, subject)
        )
        return [json.loads(row[0])["body"] for row in rows.fetchall()]


def test_both_are_shown_on_record_and_confirmed_together(world, edge):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    assert f'href="/merges/{edge.id}"' in officer.get("/merges").text
    page = officer.get(f"/merges/{edge.id}").text
    assert "Quixotella Zebulonova" in page
    assert "Quixote Zebulon" in page
    for subject in (edge.child, edge.parent):
        assert records(world, "keeper.opened", subject)[-1]["basis"] == "merge"
    assert together(world, edge.parent) == {edge.parent}
    done = post(officer, f"/merges/{edge.id}/confirm", f"/merges/{edge.id}", why="cards-agree")
    assert done.status_code == 303
    assert together(world, edge.parent) == {edge.child, edge.parent}
    assert records(world, "merge.confirmed", edge.parent)[-1]["why"] == "cards-agree"
    assert f'href="/merges/{edge.id}"' not in officer.get("/merges").text
    assert officer.get(f"/merges/{edge.id}").status_code == 404


def test_refused_it_is_undone(world, edge):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    wrong = post(officer, f"/merges/{edge.id}/refuse", f"/merges/{edge.id}", why="cards-agree")
    assert wrong.status_code == 400
    assert (
        post(officer, f"/merges/{edge.id}/refuse", f"/merges/{edge.id}", why="cards-differ").status_code
        == 303
    )
    with read(world.gate.engine) as db:
        [shown] = [e for e in views.edges(db, world.gate.site, subject=edge.child) if e.id == edge.id]
    assert shown.state == "undone"
    assert f'href="/merges/{edge.id}"' not in officer.get("/merges").text


def test_an_edge_there_is_not_opens_nobodys_card(world, edge):  # noqa: F811  the fixture
    entered = world.enter("p-privacy")
    caller = Caller("app", 0, 0)
    for wrong in (
        (uuid7(), edge.child, edge.parent),
        (edge.id, edge.parent, edge.child),
        (edge.id, edge.child, uuid7()),
    ):
        for act in (merging.merge_cards, merging.merge_sign):
            with pytest.raises(KeeperError) as error:
                act(world.keeper, caller, *wrong, entered)
            assert error.value.reason is Reason.NOT_FOUND


def test_a_confirmation_is_signed_by_its_edge_alone(world, edge):  # noqa: F811  the fixture
    """The command line's way to have documents signed takes no body of a merge that nobody looked for."""
    body = orjson.dumps({"child": edge.child, "edge": edge.id, "parent": edge.parent})
    with pytest.raises(KeeperError) as error:
        sign_alone(
            world.keeper,
            Caller("admin", 0, 0),
            [Wanted("merge", edge.id, 0, body)],
            [world.enter("p-privacy")],
        )
    assert error.value.reason is Reason.NOT_PERMITTED


@pytest.mark.parametrize("who", ["p-nurse", "p-auditor", "p-admin", "p-integration", "p-vendor"])
def test_others_have_no_such_page(world, edge, who):  # noqa: F811  the fixture
    client = viewer(world, who)
    assert client.get("/merges").status_code == 404
    assert client.get(f"/merges/{edge.id}").status_code == 404


def test_the_api_lists_and_decides(world, edge):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    shown = {"oathward-token": token_of(officer.get(f"/merges/{edge.id}").text), "origin": BASE}
    listed = officer.get("/api/v1/merges", headers=shown).json()["items"]
    assert edge.id in [one["id"] for one in listed]
    call = f"/api/v1/merges/{edge.id}"
    assert (
        officer.post(call, json={"decision": "maybe", "why": "cards-agree"}, headers=shown).status_code == 400
    )
    done = officer.post(call, json={"decision": "confirm", "why": "source-asked"}, headers=shown)
    assert done.json() == {"id": edge.id, "decision": "confirm"}
    assert (
        officer.post(call, json={"decision": "refuse", "why": "cards-differ"}, headers=shown).status_code
        == 404
    )
