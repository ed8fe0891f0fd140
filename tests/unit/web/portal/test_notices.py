"""Notices: what the ledger has of this patient, in words, with who, when and why; nothing of anybody else's."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.site import Site
from tests.unit.web.portal.conftest import BASE, Browser, Client, Desk, Keeper, seat

from oathward import ledger
from oathward.app import build
from oathward.core.db import read, write
from oathward.core.errors import SettingsError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.settings import load
from oathward.ledger import Record
from oathward.policy.glass import REASONS
from oathward.policy.people import GRANT, PERSON, Grant, Person, RoleGrant
from oathward.policy.portal import BASES
from oathward.vault import authority
from oathward.vault.keeper import proof
from oathward.vault.keeper.server import Server
from oathward.vault.keeper.signing import Wanted, sign
from oathward.web.portal import told
from oathward.web.portal.frame import create

AT = 1_780_000_000_000_000
MORE = '[portal]\nzone = "Europe/Berlin"\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Site.make(tmp_path_factory.mktemp("notices") / "s", more=MORE)
    server = Server(made.settings)
    person = Person(id="p-nurse", name="Beatrix Okon<w>o")
    grant = Grant("p-nurse", (RoleGrant(Role.CLINICIAN, 0, None, "test"),))
    wanted = [Wanted(PERSON, "p-nurse", 0, person.body()), Wanted(GRANT, "p-nurse", 0, grant.body())]
    documents = sign(server.keeper, wanted, [proof.Person("test", "test")])
    with write(server.keeper.engine) as db:
        authority.put_all(db, documents)
    made.keeper = server.keeper
    yield made
    server.stop()


@pytest.fixture
def looking(place):
    opened, desk = build(place.settings, "app"), Desk()
    desk.seats = (replace(seat(), subject=uuid7()),)
    with TestClient(create(replace(opened, keeper=Keeper(Client(desk)))), base_url=BASE) as client:
        browser = Browser(client, desk)
        browser.site, browser.subject = opened, desk.seats[0].subject
        browser.sign_in()
        yield browser
    opened.keeper.close()
    opened.engine.dispose()


def happens(looking, kind, body, *, subject=None, at_us=AT):
    leaf = ledger.prepare(Record(kind, body, at_us, looking.subject if subject is None else subject))
    with write(looking.site.engine) as db:
        ledger.append(db, looking.site.site, [leaf])
    with read(looking.site.engine) as db:
        return ledger.head(db, looking.site.site).size - 1


def glass(looking, **more):
    body = {"person": "p-nurse", "code": "life-threat", "id": "g", "minutes": 10} | more
    return happens(looking, "breakglass.begun", body)


def said(page):
    found = re.findall(r'<li><p class="when">(.*?)</p>\s*<p>(.*?)(?: <a |</p>)', page)
    return [(when, words) for when, words in found]


def test_a_broken_glass_says_who_when_and_why(looking):
    glass(looking)
    ((when, words),) = said(looking.get("/notices").text)
    assert when == "May 28, 2026 at 22:26 CEST"
    assert words.startswith("Beatrix Okon&lt;w&gt;o (care staff) opened data that was kept closed.")
    assert "a danger to life" in words


def test_it_is_said_in_the_language_of_the_holder(looking):
    glass(looking)
    looking.desk.language = "es"
    ((when, words),) = said(looking.get("/notices").text)
    assert when == "28 de mayo de 2026 a las 22:26 CEST"
    assert "un peligro de muerte" in words


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "something was found that matters for your health"),
        ("es", "se vio algo que importa para su salud"),
    ],
)
def test_who_found_out_whose_data_without_a_name_are_is_told_with_the_reason(looking, language, words):
    body = {"person": "p-nurse", "code": "incidental-finding", "found": "one", "id": "r", "by": "p-2"}
    happens(looking, "reidentify.shown", body)
    looking.desk.language = language
    ((_, told),) = said(looking.get("/notices").text)
    assert "Beatrix Okon" in told
    assert words in told


def test_a_site_that_names_no_staff_tells_the_role(looking, place, monkeypatch):
    settings = replace(place.settings, portal=replace(place.settings.portal, staff_names=False))
    site = replace(looking.site, settings=settings, keeper=Keeper(Client(looking.desk)))
    glass(looking)
    with TestClient(create(site), base_url=BASE) as client:
        other = Browser(client, looking.desk)
        other.sign_in()
        ((_, words),) = said(other.get("/notices").text)
    assert "Okon" not in words
    assert words.startswith("care staff opened")


def test_nothing_of_another_patient_is_there_and_nothing_of_care(looking):
    happens(looking, "breakglass.begun", {"person": "p-nurse", "code": "other"}, subject=uuid7())
    happens(looking, "breakglass.begun", {"person": "p-nurse", "code": "other"}, subject="")
    happens(looking, "message.accepted", {"device": "mon-1"})
    page = looking.get("/notices").text
    assert said(page) == []
    assert "There is no news" in page


def test_a_proxy_without_sight_has_no_such_page(looking):
    looking.desk.seats = (seat(scope=("request",)),)
    assert looking.get("/notices").status_code == 404


def test_what_the_patient_reported_and_took_is_not_told_to_a_proxy_who_may_be_whom_it_is_about(looking):
    mine = happens(looking, "portal.reported", {"person": "h-1", "kind": "looked", "about": 7})
    looking.desk.seats = (replace(looking.desk.seats[0], own=False, basis="wish"),)
    assert mine in proved(looking), "a proxy reads of their own"
    theirs = [
        happens(looking, kind, {"person": "h-2", "kind": "looked", "about": 7})
        for kind in ("portal.reported", "portal.report-settled", "portal.fetched")
    ]
    assert not proved(looking) & set(theirs)
    assert {looking.get(f"/proof/{one}").status_code for one in theirs} == {404}
    looking.desk.seats = (replace(looking.desk.seats[0], own=True, basis="self"),)
    assert set(theirs) <= proved(looking)


def proved(looking):
    """Numbers of the records that the page tells of."""
    return {int(one) for one in re.findall(r"/proof/(\d+)", looking.get("/notices").text)}


def test_newest_first_and_page_by_page(looking):
    first = [glass(looking, minutes=number) for number in range(1, 61)]
    shown, path = [], "/notices"
    while path:
        page = looking.get(path).text
        shown += re.findall(r'href="/proof/(\d+)"', page)
        older = re.search(r'href="(/notices\?before=\d+)"', page)
        path = older[1] if older else ""
    assert [int(one) for one in shown] == first[::-1]
    assert "nothing older" in looking.get(f"/notices?before={first[0]}").text
    for odd in ("x", "-1", "1e3", "9" * 40, "²"):
        assert looking.get(f"/notices?before={odd}").status_code == 200
    assert looking.get("/notices?before=%00").status_code == 400


def test_every_kind_can_be_said_in_every_language_with_any_body(looking):
    for kind, some in told.TOLD.items():
        for one in some:
            happens(looking, kind, dict(one.only))
    count = len([one for some in told.TOLD.values() for one in some])
    for language in ("en", "es"):
        looking.desk.language = language
        assert len(said(looking.get("/notices").text)) == min(count, 25)


def test_every_code_has_words():
    assert told.GLASS.keys() == REASONS.keys()
    assert told.BASES.keys() == set(BASES)


def test_what_a_reviewer_wrote_is_neither_said_nor_handed_out(looking):
    body = {"person": "p-nurse", "outcome": "not-justified", "reason": "PLANTED", "by": "p-x"}
    happens(looking, "breakglass.reviewed", body)
    page = looking.get("/notices").text
    assert "was not right" in page
    assert "PLANTED" not in page
    assert "/proof/" not in page


def test_the_viewer_is_you_and_a_name_nobody_signed_is_somebody(looking):
    happens(looking, "consent.recorded", {"by": "h-1"})
    happens(looking, "consent.recorded", {"by": "Mallory <b>"})
    words = [one for _, one in said(looking.get("/notices").text)]
    assert [one.split()[0] for one in words] == ["Someone", "You"]


def test_a_zone_nobody_knows_is_refused(place):
    file = place.settings.data / "oathward.toml"
    good = file.read_text()
    try:
        file.write_text(good.replace("Europe/Berlin", "Middle/Earth"))
        with pytest.raises(SettingsError, match="zone"):
            load(place.settings.data)
    finally:
        file.write_text(good)
