"""A patient's passkey in a real browser, at a served portal: made, shown, not shown, made twice; Chromium's authenticator is the phone."""

import pytest
from tests.e2e.browser import needs_chromium, window
from tests.e2e.sign_in_site import free_port, says_yes
from tests.e2e.test_portal_choice import invited, letter
from tests.site import Site, bundle, local
from tests.wire import Client, oru

pytestmark = needs_chromium

ADDRESS = "rosa.lind@example.org"
MORE = '[portal]\nport = {port}\nurl = "http://localhost:{port}"\n[mail]\nsender = "file"\nsent_from = "portal@example.org"\n'
NO_PASSKEY = "No passkey was {}, or it took too long. Press the button to try again."


@pytest.fixture
def site(tmp_path):
    made = Site.make(tmp_path / "s", more=MORE.format(port=free_port()))
    made.activate(bundle({}))
    made.add(local())
    made.start()
    try:
        with Client(made.port()) as client:
            assert client.send(oru("FIRST", name="")) == "AA"
        yield made
    finally:
        made.stop()


def test_a_patient_makes_a_passkey_and_signs_in_with_it(site, chromium, tmp_path):
    base = f"http://localhost:{site.status('portal')['ports']['portal']}"
    link = invited(site, tmp_path, ADDRESS)
    with window(chromium, base) as patient:
        page, turn = patient.page, says_yes(patient)

        def waits_for(text):
            page.locator("[data-passkey-said]", has_text=text).wait_for()

        patient.open(link)
        page.locator("button.main").click()
        page.wait_for_url("**/sign-in/code")
        page.fill("#code", letter(site, ADDRESS, r"code is (\d{6})"))
        page.press("#code", "Enter")
        page.wait_for_url(base + "/")

        patient.open("/my-sign-in")
        page.get_by_role("link", name="Add a passkey").click()
        page.wait_for_url("**/my-sign-in/passkey")
        page.get_by_label("A name for it").fill("my phone")
        make = page.get_by_role("button", name="Make the passkey")
        turn(yes=False)
        make.click()
        waits_for(NO_PASSKEY.format("made"))
        turn(yes=True)
        make.click()
        page.wait_for_url("**/my-sign-in")
        page.get_by_role("heading", name="my phone", exact=True).wait_for()

        patient.open("/my-sign-in/passkey")
        page.get_by_label("A name for it").fill("the same phone")
        make.click()
        waits_for("This passkey is yours already. Use another one.")

        page.locator("footer form button").click()
        page.wait_for_url("**/left")
        assert page.context.cookies() == []
        patient.open("/sign-in")
        page.get_by_role("link", name="I have a passkey").click()
        page.wait_for_url("**/sign-in/passkey")
        use = page.get_by_role("button", name="Use my passkey")
        turn(yes=False)
        use.click()
        waits_for(NO_PASSKEY.format("used"))
        turn(yes=True)
        use.click()
        page.wait_for_url(base + "/")
        assert "your own health data" in page.locator("main").inner_text()
        begun = [one["body"]["by"] for one in site.records("session.begun")]
        assert begun == ["code", "passkey"]

        patient.open("/my-sign-in")
        page.locator("button[name='passkey']").click()
        page.get_by_text("You have none.").wait_for()
        page.locator("footer form button").click()
        patient.open("/sign-in/passkey")
        use.click()
        page.get_by_role("alert").wait_for()
        assert "That passkey did not work here." in page.get_by_role("alert").inner_text()
