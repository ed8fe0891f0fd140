"""A clinician's open Patient page in a real browser: it shows the patient, and lets go of them when care ends."""

import time

import pytest
from tests.care import adt
from tests.e2e.browser import axe_source, needs_chromium, signed_in
from tests.e2e.sign_in_site import served
from tests.site import bundle, local
from tests.wire import Client, Recipient, oru

from oathward.core.labels import Role

pytestmark = needs_chromium

NUMBER = "90817263"
ENDS_S = 5.0
PEOPLE = {
    "nora": Role.CLINICIAN,
    "ada": Role.ADMINISTRATOR,
    "priya": Role.PRIVACY_OFFICER,
    "sam": Role.SECURITY_ANALYST,
    "ingrid": Role.INTEGRATION_ENGINEER,
}


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """A served site with people, one patient in the ICU, and a monitor that has measured them."""
    ehr = Recipient()

    def before(site):
        site.activate(bundle({"ehr": ehr.address}))
        site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))

    nora = {"name": "Nora Nurse", "units": frozenset({"HOSP|ICU"})}
    trial = "[people]\nlinks_sign_in = true\n"
    with served(tmp_path_factory.mktemp("ward") / "s", PEOPLE, before=before, more=trial, nora=nora) as place:
        yield place.site
    ehr.close()


def now(seconds_ago=0):
    return time.strftime("%Y%m%d%H%M%S+0000", time.gmtime(time.time() - seconds_ago))


def send(site, *messages):
    with Client(site.port()) as client:
        for message in messages:
            assert client.send(message) == "AA"


def measured(value, seconds_ago):
    raw = oru(
        f"M{value}-{seconds_ago}-{time.time_ns()}", name="Zebulonova^Quixotella", mrn=NUMBER, value=str(value)
    )
    return raw.replace(b"20260504081500+0000", now(seconds_ago).encode())


@pytest.mark.parametrize("how", ["A02", "A03"])
def test_an_open_page_lets_go_when_care_ends(ward, chromium, how):
    visit = f"V{how}^^^HOSP^VN"
    send(ward, adt("A01", said=now(60), mrn=NUMBER, visit=visit))
    send(ward, *(measured(70 + n, 300 - 60 * n) for n in range(5)))
    with signed_in(chromium, ward, person="Nora Nurse", forgiven=("404",)) as console:
        page = console.page
        console.open("/patients")
        page.fill("#number", NUMBER)
        page.fill("#authority", "HOSP")
        page.click("text=Find")
        page.wait_for_url("**/patients/*-*")
        assert NUMBER not in page.url
        address = page.url
        assert "Quixotella Zebulonova" in page.inner_text("h1")
        assert page.is_visible("svg.trend")
        assert console.violations(axe_source()) == []
        send(ward, measured(99, 0))
        page.wait_for_selector("[data-new] >> text=1 new", timeout=6_000)
        place = "WARD^1^A^HOSP" if how == "A02" else "ICU^101^A^HOSP"
        send(ward, adt(how, said=now(), mrn=NUMBER, visit=visit, place=place))
        acknowledged_s = time.monotonic()
        page.wait_for_selector("text=Your access ended", timeout=10_000)
        took_s = time.monotonic() - acknowledged_s
        assert took_s <= ENDS_S, took_s
        content = page.content()
        assert not [word for word in ("Zebulonova", "Quixotella", NUMBER, "svg class") if word in content]
        page.reload()
        assert "There is no such page" in page.inner_text("main")
        page.go_back()
        assert "Zebulonova" not in page.content(), "nothing was kept to go back to"
        console.open(address.removeprefix(console.base))
        assert "There is no such page" in page.inner_text("main")
    assert [r["body"]["event"] for r in ward.records("care.ended")][-1] == how


def test_without_script_the_next_request_finds_nothing(ward, chromium):
    visit = "VN^^^HOSP^VN"
    send(ward, adt("A01", said=now(60), mrn=NUMBER, visit=visit), measured(81, 10))
    with signed_in(chromium, ward, person="Nora Nurse", forgiven=("404",)) as console:
        console.page.context.route("**/*.js", lambda route: route.abort())
        console.open("/patients")
        console.page.click("table th a")
        console.page.wait_for_url("**/patients/*-*")
        assert "Quixotella" in console.page.inner_text("h1")
        send(ward, adt("A03", said=now(), mrn=NUMBER, visit=visit))
        console.page.click("text=Show")
        assert "There is no such page" in console.page.inner_text("main")
        console.complaints.clear()  # the script that was kept away
