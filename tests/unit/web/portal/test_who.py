"""Who can see my data: each place by purpose, as the engine's own reading of policy and consents says."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.site import ALLOW, LINK, RECIPIENT, Site, bundle
from tests.unit.web.portal.conftest import BASE, Browser, Client, Desk, Keeper, seat

from oathward.app import build
from oathward.consent import views
from oathward.consent.model import statement
from oathward.core.db import write
from oathward.uploads import actions
from oathward.uploads.model import Sighting, Source
from oathward.web.portal.frame import create


@pytest.fixture(scope="module")
def active(tmp_path_factory):
    made = Site.make(tmp_path_factory.mktemp("who") / "s")
    link = (
        LINK.format(id="planning")
        .replace('"TREAT"', '"HOPERAT"')
        .replace("without_consent = true", "without_consent = false")
    )
    link = link.replace('indeterminate = "care-team"\n', "").replace('uncatalogued = "pass"\n', "")
    extra = {
        "recipients/planning.toml": RECIPIENT.format(id="planning", address="mllp://127.0.0.1:10").encode(),
        "links/planning.toml": link.encode(),
        "policies/links.cedar": "".join(
            ALLOW.format(id=id_) for id_ in ("keep", "ward-ehr", "planning")
        ).encode(),
    }
    made.activate(bundle({"ward-ehr": "mllp://127.0.0.1:9"}, extra=extra))
    return made


@pytest.fixture
def looking(active):
    opened, desk = build(active.settings, "app"), Desk()
    with TestClient(create(replace(opened, keeper=Keeper(Client(desk)))), base_url=BASE) as client:
        browser = Browser(client, desk)
        browser.sign_in()
        yield browser
    opened.keeper.close()
    opened.engine.dispose()


def said(page):
    """Place -> what the page says of it."""
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>\s*<dd>(.*?)</dd>", page)
    return {name: (purpose, state.strip()) for name, purpose, state in found}


def test_care_may_and_another_use_may_not_without_a_yes(looking):
    page = looking.get("/who").text
    found = said(page)
    assert found["ward-ehr"] == ("To give care", "It may see the data now.")
    assert ("To run the hospital", "It may not see the data.") in found.values()
    assert len(found) == 2  # what the site keeps for itself is no place
    assert page.index("For care") < page.index("For other uses")


def test_a_yes_and_a_no_show_where_they_were_said(looking, monkeypatch):
    words = {"purposes": ("HOPERAT",), "recipients": ("planning",)}
    yes = statement(permit=True, classes=("*",), source="portal", **words).fact
    no = statement(permit=False, classes=("*",), source="portal", **words).fact
    states = []
    for facts in ((yes,), (yes, no)):
        monkeypatch.setattr(views.Consents, "of", lambda *_, facts=facts: (1, facts))
        states += [
            state
            for purpose, state in said(looking.get("/who").text).values()
            if purpose == "To run the hospital"
        ]
    assert states[0] != "It may not see the data."
    assert states[1] == "It may not see the data."


def test_where_it_cannot_be_read_nothing_is_guessed(looking, monkeypatch):
    monkeypatch.setattr(views.Consents, "of", lambda *_: views.UNKNOWN)
    page = looking.get("/who").text
    assert said(page) == {}
    assert "look again later" in page


def test_without_a_policy_no_place_gets_anything(browser):
    browser.sign_in()
    assert "No place gets" in browser.get("/who").text


def test_whoever_may_not_see_finds_no_such_page(looking):
    looking.desk.seats = (seat(scope=("request",)),)
    assert looking.get("/who").status_code == 404
    assert 'href="/who"' not in looking.get("/").text


def test_what_a_device_sends_past_us_stands_there_with_ones_own_word(looking, active):
    opened = build(active.settings, "app")
    subject = seat().subject
    at_us = 1_700_000_000_000_000
    classes = frozenset({"observation.value"})
    told = [
        Sighting("", "Acme Cloud", "", subject, classes, "", at_us, at_us, Source.REPORTED),
        Sighting("ward-ehr", "", "", subject, classes, "TREAT", at_us, at_us, Source.IMPORTED),
        Sighting("", "Somebody else's", "", "another", classes, "", at_us, at_us, Source.IMPORTED),
    ]
    with write(opened.engine) as db:
        actions.see(db, opened.site, told, by="p", now_us=at_us)
    page = looking.get("/who").text
    opened.keeper.close()
    opened.engine.dispose()
    assert "Sent by the device, not through us" in page
    below = page.partition("Sent by the device")[2]
    said_of = dict(re.findall(r"<dt>(.*?)</dt>.*?<dd>[^<]*</dd>\s*<dd>(.*?)</dd>", below, re.DOTALL))
    assert said_of == {
        "Acme Cloud": "No one asked you about this. The people who run the devices were told.",
        "ward-ehr": "You said yes to this.",
    }
    assert "Somebody else" not in page
