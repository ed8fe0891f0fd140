"""Signing in as a person does it: Chromium, its virtual authenticator, an independent provider, a served site with people."""

import re

import pytest
from tests.e2e.browser import THEMES, needs_chromium
from tests.e2e.sign_in_site import PASSWORD, Phone, chosen, enrolled, people_site, person, says_yes

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with people_site(tmp_path_factory.mktemp("people")) as found:
        yield found


def test_a_passkey_from_the_invitation_to_the_next_morning(place, chromium, axe):
    """Enrolled, signed out, signed in again without a password; then one more thing that needs a fresh proof."""
    with person(chromium, place.base) as console:
        page, turn = console.page, says_yes(console)
        chosen(console, place, "sara")
        assert console.violations(axe) == []
        page.get_by_label("Name of the passkey").fill("ward computer")
        page.get_by_role("button", name="Make a passkey").click()
        page.wait_for_url(place.base + "/")
        # The browser offers it below the login; the virtual one says yes at once.
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(place.base + "/")
        # One that has no such list has the button.
        page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(place.base + "/")
        console.open("/account")
        text = page.locator("main").inner_text()
        assert "ward computer" in text
        assert "passkey" in text
        assert "the last one stays" in text
        assert console.violations(axe) == []
        console.open("/step-up?next=/account")
        assert console.violations(axe) == []
        turn(yes=False)  # as one who closes what the browser asks
        page.get_by_role("button", name="Use your passkey").click()
        page.get_by_text("No passkey was used, or it took too long. Press the button to try again").wait_for()
        turn(yes=True)
        page.get_by_role("button", name="Use your passkey").click()
        page.wait_for_url("**/account")


def test_a_password_and_a_code_with_the_keyboard_alone_in_two_steps(place, chromium, axe):
    with person(chromium, place.base) as console:
        page = console.page
        phone = enrolled(console, place, "ines")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            assert console.violations(axe) == []
        console.open("/sign-in?next=/health")
        assert page.evaluate("document.activeElement.id") == "login", "nothing is pressed before typing"
        page.keyboard.type("n-ines")
        console.press("Tab")
        page.keyboard.type(PASSWORD)
        console.press("Enter")
        page.wait_for_url("**/sign-in/second")
        assert page.evaluate("document.activeElement.autocomplete") == "one-time-code"
        assert console.violations(axe) == []
        page.keyboard.type(phone.code())
        console.press("Enter")
        page.wait_for_url("**/health")


def test_without_script_one_enrols_and_signs_in(place, chromium):
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(place.invitation("adam"))
        page.get_by_role("button", name="Begin").click()
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("heading", name="Choose a second factor").wait_for()
        assert "Passkeys need script" in page.locator("main").inner_text()
        assert not page.get_by_role("button", name="Make a passkey").is_visible()
        page.get_by_role("button", name="Use an app").click()
        phone = Phone(page.locator(".command code").inner_text().replace(" ", ""))
        assert page.locator("svg.qr").is_visible()
        page.get_by_label("The code the app shows now").fill(phone.code())
        page.get_by_role("button", name="Add it").click()
        page.wait_for_url(place.base + "/")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Login").fill("n-adam")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.get_by_label("Code of your authenticator app").fill(phone.code())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(place.base + "/")
    finally:
        context.close()


def test_the_hospitals_provider_signs_in_and_who_is_nobody_here_hears_it(place, chromium):
    context = chromium.new_context(
        ignore_https_errors=True
    )  # this machine does not know the provider's authority
    said = []
    try:
        page = context.new_page()
        page.on("console", lambda m: said.append(m.text) if "Content Security Policy" in m.text else None)
        for login, ends in (("eve", "**/sign-in/provider/answer*"), ("paul", place.base + "/devices")):
            context.clear_cookies()
            page.goto(place.base + "/sign-in?next=/devices")
            page.get_by_role("button", name="Sign in with the hospital").click()
            page.wait_for_url(place.provider + "/**")
            page.get_by_label("Login").fill(login)
            page.get_by_role("button", name="Go on").click()
            page.wait_for_url(ends)
            if login == "eve":
                page.wait_for_url("**here=1*")
                assert "person.unknown" in page.content()
        assert [c["sameSite"] for c in context.cookies(place.base) if c["name"].startswith("oathward")] == [
            "Strict"
        ]
    finally:
        context.close()
    assert said == []


def test_every_step_of_enrolling_is_accessible_in_both_themes(place, chromium, axe):
    with person(chromium, place.base, forgiven=("422",)) as console:
        page, found = console.page, []

        def look(name: str) -> None:
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                found.extend(f"{name}, {theme}: {one}" for one in console.violations(axe))

        page.goto(place.invitation("cara"))
        look("invitation")
        page.get_by_role("button", name="Begin").click()
        page.get_by_label("New password").wait_for()
        for password in ("password12345678", PASSWORD):
            look("password")
            page.get_by_label("New password").fill(password)
            page.get_by_label("The same again").fill(password)
            page.get_by_role("button", name="Go on").click()
            page.wait_for_load_state()
        page.get_by_role("button", name="Use an app").click()
        page.get_by_label("The code the app shows now").fill("000000")
        page.get_by_role("button", name="Add it").click()
        page.locator(".notice.bad").wait_for()
        look("app")
    assert found == []


def test_under_a_number_passkeys_say_where_they_work(place, chromium):
    base = place.base.replace("localhost", "127.0.0.1")
    with person(chromium, base) as console:
        console.open("/sign-in")
        button = console.page.get_by_role("button", name="Sign in with a passkey")
        assert button.is_disabled()
        assert re.search("open it as localhost", console.page.locator("main").inner_text())
