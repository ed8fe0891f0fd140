"""The emergency, whole: at a served site whose sign-in provider is down a clinician breaks the glass in two steps; then the notice
stands in the patient's portal, and the message in the mail server's box, with who, when and why where it belongs.
"""

import re
import time

import pytest
from tests.care import adt
from tests.e2e.browser import THEMES, link_for, needs_chromium
from tests.e2e.sign_in_site import enrolled, free_port, person, served
from tests.e2e.test_portal_choice import Plain
from tests.mailbox import mailbox
from tests.site import bundle, local
from tests.unit.vault.keeper.test_breaking import no
from tests.wire import Client, Recipient, oru

from oathward.consent import actions as consents
from oathward.consent.model import canonical
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.vault.keeper import client as keepers
from oathward.vault.keeper.proof import console_proof

pytestmark = needs_chromium
NUMBER, ADDRESS = "90817263", "rosa.lind@example.org"
STEPS_MAX = 2
PEOPLE = {
    "nora": Role.CLINICIAN,
    "wanda": Role.CLINICIAN,
    "ada": Role.ADMINISTRATOR,
    "priya": Role.PRIVACY_OFFICER,
    "sam": Role.SECURITY_ANALYST,
    "ingrid": Role.INTEGRATION_ENGINEER,
}
MORE = """
[people]
links_sign_in = true
clocks_may_differ = true
[portal]
port = 0
url = "http://localhost:9"
zone = "Europe/Berlin"
[mail]
sender = "smtp"
tls = "none"
host = "127.0.0.1"
port = {mail}
sent_from = "portal@hospital.example"
[oidc]
issuer = "http://127.0.0.1:{dead}"
client_id = "console"
name = "the hospital"
"""


@pytest.fixture(scope="module")
def box():
    with mailbox() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory, box):
    ehr = Recipient()

    def before(site):
        site.activate(bundle({"ehr": ehr.address}))
        site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))

    facts = {
        "nora": {"name": "Nora Nurse", "units": frozenset({"HOSP|ICU"})},
        "wanda": {"name": "Wanda Ward", "units": frozenset({"HOSP|WARD"})},
    }
    more = MORE.format(mail=box.port, dead=free_port())
    with served(tmp_path_factory.mktemp("glass") / "s", PEOPLE, before=before, more=more, **facts) as found:
        yield found
    ehr.close()


@pytest.fixture(scope="module")
def patient(place, box):
    """Somebody in the ICU who wants nothing shown to this house, and who has signed in at the portal; gives the browser."""
    site = place.site
    with Client(site.port()) as client:
        said = time.strftime("%Y%m%d%H%M%S+0000", time.gmtime(time.time() - 60))
        assert client.send(adt("A01", said=said, mrn=NUMBER)) == "AA"
        raw = oru("M1", name="Zebulonova^Quixotella", mrn=NUMBER, value="87")
        assert client.send(raw.replace(b"20260504081500+0000", said.encode())) == "AA"
    [(subject,)] = site.rows("SELECT DISTINCT subject FROM ledger_record WHERE kind = 'message.accepted'")
    key = link_for(site, person="Priya").partition("key=")[2]
    with keepers.connect(site.settings, "app", become=False) as app:
        secret, _ = app.session_begin(key)
        app.portal.invite(subject, Phi("Rosa Lind"), Phi(ADDRESS), console_proof(secret))
    with site.admin() as admin:
        documents = admin.keeper.sign_many(
            [("consent", subject, 0, canonical(subject, [no()]))], [console_proof(secret)]
        )
        with write(admin.engine) as db:
            consents.store(db, admin.site, documents, by="priya", now_us=micros(admin.clock.now()))
    browser = Plain(site)
    browser.get(letter(site, box, r"(/enrol\?key=\S+)"))
    browser.send("/enrol")
    browser.send("/sign-in/code", code=letter(site, box, r"code is (\d{6})"))
    browser.subject = subject
    return browser


def letter(site, box, said):
    """Wait for a message in the mail server's box that says something."""

    def look():
        for one in box.letters:
            match = re.search(said, one.get_content())
            if match:
                return match[1]
        return None

    return site.wait(look, 30)


def news(box):
    return [one for one in box.letters if "news" in one["Subject"]]


def test_the_notice_stands_in_the_portal_and_the_message_in_the_mailbox(place, patient, box, chromium):
    site = place.site
    assert "There is no news" not in patient.get("/notices").page  # that they were given access, at least
    assert news(box) == []
    with person(chromium, place.base) as console:
        enrolled(console, place, "nora")  # an account of this site's own: the provider answers nobody
        page = console.page
        console.open(f"/patients/{patient.subject}")
        assert "Something is withheld." in page.inner_text("main")
        steps = 0
        page.get_by_role("link", name=re.compile("break the glass", re.IGNORECASE)).click()
        page.wait_for_url("**/glass")
        steps += 1
        page.select_option("#code", "life-threat")
        page.fill("#words", "no pulse, resuscitation")
        page.get_by_role("button", name="Break the glass").click()
        page.wait_for_url(f"**/patients/{patient.subject}")
        steps += 1
        assert steps <= STEPS_MAX
        assert "The glass is broken for this patient" in page.inner_text("body")
        assert "Quixotella Zebulonova" in page.inner_text("h1")
    [begun] = site.records("breakglass.begun")
    site.wait(lambda: news(box), 30)
    (message,) = news(box)
    assert message["To"] == ADDRESS
    for secret in ("Nora", "glass", "emergency", "pulse", "Zebulonova", "Rosa", patient.subject):
        assert secret not in message.as_string()
    page = patient.get("/notices").page
    (when, words) = re.search(r'class="when">([^<]*)</p>\s*<p>(Nora Nurse[^<]*)', page).groups()
    assert re.fullmatch(r"\w+ \d+, \d{4} at \d\d:\d\d CES?T", when)
    assert "(care staff) opened data that was kept closed" in words
    assert "a danger to life" in words
    assert "pulse" not in page
    assert begun["body"]["person"] == "nora"
    looked = patient.get("/looked").page
    assert "This person opened it in an emergency" in looked
    assert "Nora Nurse" in looked


@pytest.mark.parametrize("theme", THEMES)
def test_whom_nobody_assigned_is_reached_and_the_pages_are_accessible(
    place, patient, box, chromium, axe, theme
):
    site, before = place.site, len(news(box))
    link = link_for(site, person="Wanda Ward")
    with person(chromium, link.partition("/sign-in")[0], theme=theme, forgiven=("404",)) as console:
        console.use(link)
        page = console.page
        page.wait_for_url("**/")
        console.open(f"/patients/{patient.subject}")
        assert "Quixotella" not in page.inner_text("body")
        console.open("/emergency")
        assert console.violations(axe) == []
        page.fill("#number", f"{NUMBER}0")
        fill(page)
        assert "Nobody is here by that number" in page.inner_text("main")
        assert console.violations(axe) == []
        page.fill("#number", NUMBER)
        fill(page)
        page.wait_for_url(f"**/patients/{patient.subject}")
        assert NUMBER not in page.url
        assert "Quixotella Zebulonova" in page.inner_text("h1")
        assert console.violations(axe) == []
    site.wait(lambda: len(news(box)) > before, 30)
    page = patient.get("/notices").page
    assert re.search(r"Wanda Ward \(care staff\) had not been asked to take care of this patient", page)


def fill(page):
    if page.locator("input#authority").count():
        page.fill("#authority", "HOSP")
    page.select_option("#code", "life-threat")
    page.fill("#words", "collapsed in the corridor")
    page.get_by_role("button", name="Open this patient").click()
    page.wait_for_load_state()
