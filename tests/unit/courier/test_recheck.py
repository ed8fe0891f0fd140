"""What is decided again before it leaves: whatever moved, and only that."""

from types import SimpleNamespace

import pytest

from oathward.consent.views import UNKNOWN
from oathward.core.db import connect, create_tables
from oathward.core.reasons import Reason
from oathward.courier.recheck import Later, Now, refused_each
from oathward.plans import Plans

from .test_lane import item

NOW_US = 1_000


def row(**changes):
    as_decided = {"subject": "p", "bundle": "b@1", "consent_version": 3, "valid_until_us": 0}
    return item(1, "d").row._replace(**{**as_decided, **changes})


def refused(rows, engine=None, *, consent=(3, ()), sure=True, withdrawn=False):
    """The bundle has no link any more: a row that is decided again is refused for that."""
    nothing = SimpleNamespace(links={})
    consents = {("p",): consent, ("p", "q"): (consent[0], ())}
    if withdrawn:
        consents["p", "q"] = (consent[0] + 1, ())
    now = Now(nothing, "b@1", Plans(), consents, NOW_US, clock_sure=sure)
    return refused_each(engine, "s", rows, now)


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    return engine


def test_what_stands_goes_out_without_a_look_at_the_database():
    assert refused([row(), row(valid_until_us=NOW_US + 1)]) == [None, None]
    assert refused([]) == []


@pytest.mark.parametrize("moved", [{"bundle": "b@0"}, {"consent_version": 2}, {"valid_until_us": NOW_US}])
def test_one_that_moved_is_decided_again_and_the_others_are_not_held_up(engine, moved):
    assert refused([row(), row(**moved), row()], engine) == [None, Reason.NO_LINK, None]


def test_what_the_second_person_of_a_message_says_counts(engine):
    assert refused([row(others="q")]) == [None]
    assert refused([row(), row(others="q")], engine, withdrawn=True) == [None, Reason.NO_LINK]


def test_consents_that_are_not_known_never_stand(engine):
    assert refused([row()], engine, consent=UNKNOWN) == [Reason.NO_LINK]


def test_while_the_clock_is_not_sure_what_has_an_end_waits(engine):
    assert refused([row(), row(valid_until_us=NOW_US + 1)], engine, sure=False) == [
        None,
        Later(Reason.CLOCK_UNSURE),
    ]
