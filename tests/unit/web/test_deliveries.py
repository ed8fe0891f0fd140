"""What a person does about a delivery on its message's page: of that message, and of no other."""

import pytest
from tests.outbox import waiting

from oathward.consent.notices import sql as notices
from oathward.consent.notices.sql import NoticeRow
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.messages import sql
from oathward.messages.model import Delivery
from oathward.web.pages import messages


@pytest.fixture
def two(opened):
    """Two messages with a blocked delivery each: (message, delivery) of both."""
    made = []
    with write(opened.engine) as db:
        for _ in range(2):
            message, delivery = uuid7(), uuid7()
            row = waiting(delivery)._replace(site=opened.site, message=message, state=Delivery.BLOCKED)
            sql.insert_outbox(db, [row])
            made.append((message, delivery))
    return made


def post(browser, message, delivery, act):
    form = {"delivery": delivery, "act": act, "reason": "mended"}
    return browser.post(f"/messages/{message}/deliveries", form)


def state(opened, delivery):
    with read(opened.engine) as db:
        return sql.outbox_by_id(db, delivery).state


@pytest.mark.parametrize("act", ["retry", "discard"])
def test_a_delivery_of_another_message_is_as_if_it_were_not_there(browser, opened, two, act):
    (message, delivery), (_, alien) = two
    browser.sign_in()
    answers = [post(browser, message, one, act) for one in (alien, uuid7())]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].text.replace(alien, "") == answers[1].text.replace(alien, "")
    assert {state(opened, one) for one in (delivery, alien)} == {Delivery.BLOCKED}


@pytest.mark.parametrize(("act", "after"), [("retry", Delivery.PENDING), ("discard", Delivery.DEAD)])
def test_its_own_delivery_is_tried_again_or_given_up(browser, opened, two, act, after, monkeypatch):
    (message, delivery), (_, alien) = two
    monkeypatch.setattr(messages, "Again", lambda *_: lambda row: None)  # its link is in no policy
    browser.sign_in()
    assert post(browser, message, delivery, act).status_code == 303
    assert (state(opened, delivery), state(opened, alien)) == (after, Delivery.BLOCKED)


def test_a_notice_that_is_given_up_says_who_gave_it_up(browser, opened, two):
    (message, delivery), (other, alien) = two
    row = NoticeRow(delivery, "s", "ehr", "s", 1, "none", "refused", 1, "AR", 2, 2)
    with write(opened.engine) as db:
        notices.put(db, opened.site, row)
    browser.sign_in()
    post(browser, other, delivery, "discard")
    post(browser, other, alien, "discard")
    with read(opened.engine) as db:
        assert notices.find(db, opened.site, delivery) == row, "what was refused changed nothing"
    post(browser, message, delivery, "discard")
    with read(opened.engine) as db:
        found = notices.find(db, opened.site, delivery)
    assert (found.state, bool(found.answer), found.is_missing) == ("discarded", True, False)


def test_what_may_still_not_go_is_refused_with_its_reason(browser, opened, two, monkeypatch):
    (message, delivery), _ = two
    monkeypatch.setattr(messages, "Again", lambda *_: lambda row: Reason.PERMIT_NARROWED)
    browser.sign_in()
    said = post(browser, message, delivery, "retry")
    assert "may still not go" in said.text
    assert Reason.PERMIT_NARROWED.code in said.text
    assert state(opened, delivery) == Delivery.BLOCKED
    assert post(browser, message, delivery, "discard").status_code == 303


def test_what_was_broken_off_when_a_patient_withdrew_is_never_tried_again(browser, opened, monkeypatch):
    """Not even where everything permits it now: the recipient may have it."""
    monkeypatch.setattr(messages, "Again", lambda *_: lambda row: None)
    message, delivery = uuid7(), uuid7()
    over = Reason.CONSENT_WITHDRAWN_IN_FLIGHT.code
    with write(opened.engine) as db:
        row = waiting(delivery)._replace(site=opened.site, message=message, state=Delivery.DEAD, reason=over)
        sql.insert_outbox(db, [row])
    browser.sign_in()
    said = post(browser, message, delivery, "retry")
    assert said.status_code != 303
    assert over in said.text
    assert state(opened, delivery) == Delivery.DEAD
