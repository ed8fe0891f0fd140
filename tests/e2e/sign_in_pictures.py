"""Pictures of signing in, enrolling and one's own account, in both themes: part of ``make screenshots``."""

from pathlib import Path

from tests.e2e.browser import THEMES
from tests.e2e.sign_in_site import PASSWORD, Phone, people_site, person

WRONG = ("401", "422")


def shoot(chromium, folder: Path, out: Path) -> None:
    """Serve a site with people; one of them enrols, signs in and looks at her account."""
    with people_site(folder) as place:
        with person(chromium, place.base, authenticator=True, forgiven=WRONG) as console:
            phone = _enrolling(console, place, out)
            _account(console, phone, out)
        with person(chromium, place.base, forgiven=WRONG) as console:
            _signing_in(console, out)


def _enrolling(console, place, out: Path) -> Phone:
    page = console.page
    page.goto(place.invitation("sara"))
    _picture(page, out, "enrol")
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("New password").wait_for()
    _picture(page, out, "enrol-password")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Use an app").wait_for()
    _picture(page, out, "enrol-factor")
    page.get_by_role("button", name="Use an app").click()
    phone = Phone(page.locator(".command code").inner_text().replace(" ", ""))
    _picture(page, out, "enrol-app")
    page.get_by_label("The code the app shows now").fill(phone.code())
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url(place.base + "/")
    return phone


def _account(console, phone: Phone, out: Path) -> None:
    page = console.page
    console.open("/account")
    page.get_by_label("Name of the passkey").fill("ward computer")
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**done=added")
    _picture(page, out, "account")
    console.open("/step-up?next=/account")
    _picture(page, out, "step-up")
    page.get_by_label("Code of your").fill("000000")
    console.press("Enter")
    page.locator(".notice.bad").wait_for()
    _picture(page, out, "step-up-wrong")


def _signing_in(console, out: Path) -> None:
    page = console.page
    console.open("/sign-in")
    _picture(page, out, "sign-in-people")
    page.get_by_label("Login").fill("n-sara")
    page.get_by_label("Password").fill("not this one at all")
    console.press("Enter")
    page.locator(".notice.bad").wait_for()
    _picture(page, out, "sign-in-wrong")
    page.get_by_label("Password").fill(PASSWORD)
    console.press("Enter")
    page.wait_for_url("**/sign-in/second")
    _picture(page, out, "sign-in-second")


def _picture(page, out: Path, name: str) -> None:
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.screenshot(path=out / theme / f"{name}.png", full_page=True)
