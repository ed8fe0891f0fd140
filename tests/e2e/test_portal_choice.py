"""A patient changes their mind at a served site: invited by letter, signed in by a code, and the effect is seen at the recipient's socket.

Once without a browser, by plain requests; once in Chromium, with the keyboard alone, in both languages, axe on each page.
"""

import email.policy
import re
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest
from tests.e2e.browser import axe_source, browser, needs_chromium
from tests.e2e.test_portal import patient, sideways, tabbed
from tests.e2e.test_withdrawal import EFFECT_S, Load, Quick, of_patient
from tests.site import Site, bundle, local
from tests.wire import Client, oru

MRN, OTHER_MRN = "12345678", "87654321"
MINE, OTHER = "71931", "82642"
ADDRESS, FRIEND = "rosa.lind@example.org", "friend@example.org"
MORE = '[portal]\nport = 0\nurl = "http://localhost:9"\n[mail]\nsender = "file"\nsent_from = "portal@example.org"\n'


@pytest.fixture(scope="module")
def recipient():
    found = Quick()
    yield found
    found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, recipient):
    folder = tmp_path_factory.mktemp("choice")
    (folder / "out").mkdir()
    made = Site.make(folder / "s", more=MORE)
    made.activate(bundle({"record": recipient.address, "team": f"file://{folder}/out"}))
    made.add(local())
    made.start()
    with Client(made.port()) as client:
        assert client.send(oru("FIRST", sender="MON1", mrn=MRN, name="", value=MINE)) == "AA"
    yield made
    made.stop()


def letter(site, address, said, patience_s=15.0):
    """Wait for a letter to somebody that says something, and take it away; gives the group of the pattern."""

    def look():
        for path in sorted((site.folder / "letters").glob("*.eml")):
            found = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            match = re.search(said, found.get_content())
            if found["To"] == address and match:
                path.unlink()
                return match[1]
        return None

    return site.wait(look, patience_s)


def invited(site, tmp_path, address, *more, language="en", mrn=MRN, born=None):
    """Have somebody invited by the command; gives where the letter's link leads. ``born``: the patient's day of birth."""
    (tmp_path / "number").write_text(f"{mrn}^^^HOSP^MR\n")
    (tmp_path / "holder.toml").write_text(
        f'name = "Rosa Lind"\naddress = "{address}"\nlanguage = "{language}"\n'
        + (f"born = {born}\n" if born else "")
    )
    files = "--holder-file", str(tmp_path / "holder.toml"), "--identifier-file", str(tmp_path / "number")
    site.cli("portal", "invite", *files, *more)
    return letter(site, address, r"(/enrol\?key=\S+)")


class Plain:
    """A patient's browser, as far as a server can tell: cookies, forms, no script."""

    def __init__(self, site):
        self.base = f"http://127.0.0.1:{site.status('portal')['ports']['portal']}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.page = ""

    def get(self, path):
        with self._opener.open(self.base + path, timeout=20) as answer:
            self.page = answer.read().decode()
        return self

    def send(self, path, **fields):
        """Send the form of the page that is open; gives when the answer came."""
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page))
        data = urllib.parse.urlencode(hidden | fields).encode()
        request = urllib.request.Request(self.base + path, data, {"origin": self.base})
        with self._opener.open(request, timeout=20) as answer:
            self.page = answer.read().decode()
        return time.time()


def enrolled(site, tmp_path, address, *more, **facts):
    """Have somebody invited and let them in; gives their browser."""
    entering = Plain(site).get(invited(site, tmp_path, address, *more, **facts))
    entering.send("/enrol")
    entering.send("/sign-in/code", code=letter(site, address, r"code is (\d{6})"))
    return entering


@pytest.mark.alone
def test_who_withdraws_at_the_portal_is_heard_at_the_recipients_socket_within_a_second(
    site, recipient, tmp_path
):
    mine = enrolled(site, tmp_path, ADDRESS)
    assert "your own health data" in mine.page
    loads = [Load(site, "MON1", MRN, MINE), Load(site, "MON2", OTHER_MRN, OTHER)]
    for load in loads:
        load.start()
    site.wait(lambda: len(of_patient(recipient.times, MINE)) > 20, 30)
    assert 'href="/choices/TREAT.record"' in mine.get("/choices").page
    mine.get("/choices/TREAT.record")
    answered_s = mine.send("/choices/TREAT.record", answer="not-allowed")
    assert "From now on this place may not see the data." in mine.page
    time.sleep(3.0)
    for load in loads:
        load.ended = True
    for load in loads:
        load.join(10)
    [(signed_us,)] = site.rows("SELECT max(at_us) FROM consent_fact")
    last_s = max(of_patient(recipient.times, MINE))
    assert last_s <= signed_us / 1e6 + EFFECT_S
    assert max(of_patient(recipient.times, OTHER)) > answered_s + 1.0, "others went on"
    [chose] = site.records("portal.chose")
    assert (chose["body"]["answer"], chose["body"]["recipient"]) == ("not-allowed", "record")
    site.wait(lambda: "seconds. We measured it." in mine.get("/choices/TREAT.record/done").page, 10)

    mine.get("/choices/TREAT.record").send("/choices/TREAT.record", answer="allowed")
    assert "From now on this place may see the data." in mine.page
    before = len(of_patient(recipient.times, MINE))
    time.sleep(EFFECT_S)  # a yes has as long as a no
    with Client(site.port()) as client:
        assert client.send(oru("AGAIN", sender="MON1", mrn=MRN, name="", value=MINE)) == "AA"
    site.wait(lambda: len(of_patient(recipient.times, MINE)) > before, 10)


@needs_chromium
@pytest.mark.parametrize("language", ["en-US", "es-MX"])
def test_in_a_browser_by_keyboard_alone_and_every_page_passes_axe(site, tmp_path, language):
    address = f"{language}-{FRIEND}"
    link = invited(site, tmp_path, address, "--proxy", "--basis", "wish", language=language[:2])
    base = Plain(site).base
    yes, no = {"en-US": ("Yes, it may", "No, it may not"), "es-MX": ("Sí, puede", "No, no puede")}[language]
    with browser() as launched, patient(launched, base, language=language) as window:
        page = window.page
        window.open(link)
        tabbed(window, "button.main")
        window.press("Enter")
        page.wait_for_url("**/sign-in/code")
        tabbed(window, "#code")
        page.keyboard.type(letter(site, address, r"(?:code is|código es) (\d{6})"))
        window.press("Enter")
        page.wait_for_url(base + "/")
        for said, counted in ((no, "not-allowed"), (yes, "allowed")):
            window.open("/choices")
            tabbed(window, 'a[href="/choices/TREAT.team"]', most=30)
            window.press("Enter")
            page.wait_for_url("**/choices/TREAT.team")
            boxes = [page.get_by_role("button", name=one, exact=True).bounding_box() for one in (yes, no)]
            assert (boxes[0]["width"], boxes[0]["height"]) == (boxes[1]["width"], boxes[1]["height"])
            tabbed(window, f'button[value="{counted}"]', most=40)
            assert page.locator(f'button[value="{counted}"]').inner_text() == said
            window.press("Enter")
            page.wait_for_url("**/done")
        cookies = page.context.cookies()
        assert [one["body"]["answer"] for one in site.records("portal.chose")][-2:] == [
            "not-allowed",
            "allowed",
        ]
        axe = axe_source()
        found = {}
        for theme in ("light", "dark"):
            with patient(launched, base, language=language, theme=theme, script=True, size={"width": 320, "height": 640}) as look:  # fmt: skip
                look.page.context.add_cookies(cookies)
                for path in ("/choices", "/choices/TREAT.team", "/choices/TREAT.team/done", "/my-sign-in", "/my-sign-in/passkey", "/sign-in/passkey"):  # fmt: skip
                    look.open(path)
                    found[theme, path] = [*look.violations(axe), *sideways(look)]
        assert {place: wrong for place, wrong in found.items() if wrong} == {}
