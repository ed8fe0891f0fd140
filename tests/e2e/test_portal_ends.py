"""Accesses to the portal end at a served site, with a page open: by coming of age, by their date, by a death told at either door.

The clock of the site's processes stands an hour before a birthday, and is moved past it; then back again.
"""

import time
import urllib.error
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.care import adt
from tests.e2e.test_portal_choice import MORE, enrolled
from tests.fhir import patient
from tests.fhir_wire import Http
from tests.moved_clock import Moved
from tests.site import Site, bundle, certified, local
from tests.wire import Client, oru

from oathward.policy.portal import grown_us

CHILD, OTHER = "31415926", "27182818"
HOUR_S = 3_600.0


def birthday():
    """A day of birth whose eighteenth return is the next to begin, and when it does (seconds)."""
    day = (datetime.now(UTC) + timedelta(hours=14, minutes=5)).date() + timedelta(days=1)
    if (day.month, day.day) == (2, 29):
        day += timedelta(days=1)
    born = date(day.year - 18, day.month, day.day)
    return born, grown_us(born, 18) / 1e6


@pytest.fixture
def site(tmp_path):
    (tmp_path / "out").mkdir()
    authorities = '[patients.authorities]\nHOSP = ["urn:oid:1.2.3"]\n'
    made = Site.make(tmp_path / "s", fhir="", more=MORE + authorities)
    made.activate(bundle({"team": f"file://{tmp_path}/out"}))
    made.add(
        local("mon-1", "MON1"),
        local("adt-1", "ADT1", kind="registration", authoritative_adt=True),
        certified("hub", kind="hub", authoritative_adt=True),
    )
    yield made
    made.stop()


def tell(site, *messages):
    with Client(site.port()) as client:
        assert [client.send(one) for one in messages] == ["AA"] * len(messages)


def sees(holder):
    """Whether a holder sees anything of a patient now; the page that was open stays open."""
    shown = holder.page
    try:
        return "/choices/TREAT.team" in holder.get("/choices").page
    except urllib.error.HTTPError as error:
        if error.code != 404:  # what is over looks like what there is not
            raise
        return False
    finally:
        holder.page = shown


def changes_nothing(site, holder):
    """Send the form of the choice that stood open when the access ended."""
    with pytest.raises(urllib.error.HTTPError) as found:
        holder.send("/choices/TREAT.team", answer="not-allowed")
    found.value.close()
    return found.value.code in {404, 409} and site.records("portal.chose") == []


def standing(site):
    return {one["basis"]: one["standing"] for one in site.cli("portal", "list")}


def ended(site):
    return [one["body"]["why"] for one in site.records("portal.access-ended")]


def test_a_childs_parent_sees_nothing_from_the_birthday_on_and_the_young_person_is_invited(site, tmp_path):
    born, at_s = birthday()
    clock = Moved(tmp_path, at_s - HOUR_S - time.time())
    site.start(**clock.environment)
    tell(site, oru("FIRST", sender="MON1", mrn=CHILD, name=""))
    as_parent = "--proxy", "--basis", "parent"
    until = datetime.fromtimestamp(at_s, UTC).isoformat()
    parent = enrolled(site, tmp_path, "parent@example.org", *as_parent, mrn=CHILD, born=born)
    friend = enrolled(site, tmp_path, "friend@example.org", "--proxy", "--basis", "wish", "--until", until, mrn=CHILD)  # fmt: skip
    for holder in (parent, friend):
        holder.get("/choices/TREAT.team")
        assert sees(holder), "the hour before"
    clock.set(clock.ahead_s + HOUR_S)
    for holder in (parent, friend):
        site.wait(lambda one=holder: not sees(one), 20)
        assert changes_nothing(site, holder)
        assert "There is nothing here for you to see now." in holder.get("/").page
    assert standing(site) == {"parent": "of-age", "wish": "late"}
    with pytest.raises(AssertionError, match="of age: invite them"):
        enrolled(site, tmp_path, "parent@example.org", *as_parent, mrn=CHILD, born=born)
    own = enrolled(site, tmp_path, "young@example.org", mrn=CHILD)
    assert "your own health data" in own.page
    assert sees(own)
    clock.set(clock.ahead_s - HOUR_S)
    site.wait(lambda: standing(site)["wish"] != "late", 20)
    assert (standing(site)["parent"], standing(site)["wish"]) == ("unsure", "unsure")
    assert not any(map(sees, (parent, friend))), "time that goes back brings nothing back"


def test_a_death_told_at_either_door_ends_every_access_with_a_page_open(site, tmp_path):
    site.start()
    tell(site, oru("FIRST", sender="MON1", mrn=OTHER, name=""))
    mine = enrolled(site, tmp_path, "mine@example.org", mrn=OTHER)
    friend = enrolled(site, tmp_path, "friend@example.org", "--proxy", "--basis", "wish", mrn=OTHER)
    for holder in (mine, friend):
        holder.get("/choices/TREAT.team")
        assert sees(holder)
    died = (
        adt("A08", said="20260504090000", mrn=OTHER)
        .decode()
        .replace("|19310203|F", f"|19310203|F{'|' * 22}Y")
    )
    tell(site, died.encode())
    for holder in (mine, friend):
        site.wait(lambda one=holder: not sees(one))
        assert changes_nothing(site, holder)
    assert ended(site) == ["death"] * 2
    again = enrolled(site, tmp_path, "mine@example.org", mrn=OTHER)
    assert sees(again), "what staff give afterwards stands: it was a mistake"
    with Http(site, "hub") as client:
        assert client.post("/fhir/Patient", patient("p1", OTHER, deceasedBoolean=True)).status == 201
    site.wait(lambda: not sees(again))
    assert ended(site) == ["death"] * 3
