"""After a withdrawal nothing that a gateway remembers lets a message through: facts, answers and plans are warm, and do not count."""

import pytest
from tests.gate import gate_of
from tests.site import Site, bundle, local
from tests.unit.courier.standing_site import says_no
from tests.unit.gateway.test_unreadable import answers


@pytest.fixture
def gate(tmp_path):
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": f"file://{tmp_path}/ehr"}))
    site.add(local())
    with gate_of(site) as gate:
        gate.tests_site = site
        yield gate


def warm(gate):
    for n in range(3):
        assert answers(gate, f"warm-{n}")["ehr"] == "permit"
    assert gate._facts, "facts are remembered"
    assert gate._plans._compiled, "and plans"


def test_a_look_is_enough_however_warm_it_is(gate, tmp_path):
    warm(gate)
    says_no(gate.tests_site, tmp_path)
    gate.watch.look()
    assert answers(gate, "after")["ehr"] == "deny"


def test_without_a_look_it_would_go_on_by_what_it_remembers(gate, tmp_path):
    """The reverse: what the look is for."""
    warm(gate)
    says_no(gate.tests_site, tmp_path)
    assert answers(gate, "after")["ehr"] == "permit"


def test_a_yes_again_is_a_new_version_and_old_answers_do_not_come_back(gate, tmp_path):
    warm(gate)
    site = gate.tests_site
    says_no(site, tmp_path)
    gate.watch.look()
    assert answers(gate, "denied")["ehr"] == "deny"
    says_no(site, tmp_path, "--replace", "--purpose", "HRESCH")
    gate.watch.look()
    assert answers(gate, "again")["ehr"] == "permit"
