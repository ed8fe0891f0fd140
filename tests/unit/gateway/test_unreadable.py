"""What patients say that could not be read for a second: care goes on, everything else is held, until it can be read."""

import math

import pytest
from tests.gate import gate_of
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.consent import watch
from oathward.core.errors import StorageError
from oathward.gateway.commit import commit_group
from oathward.gateway.path import arrive
from oathward.inventory.model import Peer

PEER = Peer("127.0.0.1", None, ())
UNREADABLE = "decision.consent-unreadable"


@pytest.fixture
def gate(tmp_path):
    """A site with a link for care (``ehr``), one that is not (``payer``), and what is kept."""
    site = Site.make(tmp_path / "s")
    files = bundle({name: f"file://{tmp_path}/{name}" for name in ("ehr", "payer")})
    payer = files["links/payer.toml"].replace(b'"TREAT"', b'"HPAYMT"').replace(b'"care-team"', b'"hold"')
    payer = payer.replace(b'"pass"', b'"remove"')
    site.activate(files | {"links/payer.toml": payer})
    site.add(local())
    with gate_of(site) as gate:
        yield gate


def away():
    raise StorageError("database", "cannot be read")


def answers(gate, id_):
    [one] = arrive(gate, oru(id_), PEER)
    commit_group(gate, [one])
    accepted = next(leaf.record for leaf in one.leaves if leaf.record.kind == "message.accepted")
    return {link: how for link, how, *_ in accepted.body["answers"]}


def break_reading(gate, monkeypatch):
    monkeypatch.setattr(gate.watch, "_look", away)
    gate.watch._good_at_s = -math.inf


def test_care_goes_on_and_the_rest_is_held_until_it_can_be_read(gate, monkeypatch):
    assert answers(gate, "m1")["payer"] == "permit"
    with monkeypatch.context() as broken:
        break_reading(gate, broken)
        found = answers(gate, "m2")
        assert (found["ehr"], found["payer"]) == ("permit", "indeterminate")
    gate.watch._asked_at_s = -math.inf  # a second later
    assert answers(gate, "m3")["payer"] == "permit", "by itself"


def test_without_the_rule_it_would_leave(gate, monkeypatch):
    break_reading(gate, monkeypatch)
    monkeypatch.setattr(watch, "FRESH_S", math.inf)
    assert answers(gate, "m1")["payer"] == "permit"
