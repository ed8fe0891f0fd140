"""Served sites with people whose console is reached as localhost, also beside an independent provider; and what a person holds."""

import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyotp
from tests import founded
from tests.e2e.browser import window
from tests.provider import CLIENT, running
from tests.site import Site

from oathward.core.clock import micros
from oathward.core.labels import Role
from oathward.vault.keeper.proof import admin_proof

PASSWORD = "purple kettle drifts along"
PEOPLE = {
    "adam": Role.ADMINISTRATOR,
    "cara": Role.CLINICIAN,
    "ines": Role.INTEGRATION_ENGINEER,
    "paul": Role.PRIVACY_OFFICER,
    "sara": Role.SECURITY_ANALYST,
}
ACCOUNTS = {"paul": {"sub": "u-paul", "name": "Paul"}, "eve": {"sub": "u-eve", "name": "Eve"}}
OIDC = """
[oidc]
issuer = "{issuer}"
client_id = "{client}"
client_secret_file = "{secret}"
ca_file = "{ca}"
name = "the hospital"
acr = "urn:two"
"""


@dataclass
class Phone:
    """An authenticator app whose clock is as far off as it must be: each code once, and nobody waits for the next."""

    secret: str
    last: int = 0

    def code(self) -> str:
        self.last = max(self.last + 1, int(time.time() // 30) - 1)
        return pyotp.TOTP(self.secret).generate_otp(self.last)


@dataclass
class Founded:
    """The site, where its console is, the keys of its invitations, and the provider beside it."""

    site: Site
    base: str
    keys: dict[str, str]
    provider: str = ""

    def invitation(self, person: str) -> str:
        return f"{self.base}/enrol?key={self.keys[person]}"


@contextmanager
def served(
    folder: Path, people: dict[str, Role], *, before=None, more: str = "", port: int = 0, **facts: dict
):
    """Serve a site and make its first people; nobody of them has enrolled.

    Args:
        before: takes the site before it has people: its bundle and devices. more: of its settings.
        port: of the console; a free one by default. facts: of a person's record, by id.
    """
    port = port or free_port()
    if "[people]" not in more:
        more += "\n[people]\nclocks_may_differ = true\n"  # codes of three steps, so that nobody waits for the next one
    site = Site.make(folder, more=more, console=True)
    file = site.folder / "oathward.toml"
    file.write_text(file.read_text().replace("[console]\nport = 0", f"[console]\nport = {port}"))
    if before is not None:
        before(site)
    with site.admin() as admin:
        founded.found(admin.keeper, admin.engine, micros(admin.clock.now()), people, **facts)
        keys = admin.keeper.changes.founding_invitations(admin_proof("setup"))
    site.start()
    try:
        yield Founded(site, f"http://localhost:{port}", keys)
    finally:
        site.stop()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def people_site(folder: Path):
    """Serve a site of people beside an independent provider, at which one of them can sign in."""
    port = free_port()
    answers = [f"http://localhost:{port}/sign-in/provider/answer"]
    with running(folder / "provider", answers, accounts=ACCOUNTS, acr="urn:two") as provider:
        named = OIDC.format(
            issuer=provider.issuer, client=CLIENT, secret=provider.settings.client_secret_file, ca=provider.settings.ca_file
        )  # fmt: skip
        paul = {"sign_ins": frozenset({(provider.issuer, "u-paul")})}
        with served(folder / "site", PEOPLE, more=named, port=port, paul=paul) as place:
            yield replace(place, provider=provider.issuer)


def says_yes(console):
    """Give a window a passkey's authenticator that says yes to everything; gives what turns it: ``turn(yes=False)``."""
    cdp = console.page.context.new_cdp_session(console.page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def turn(*, yes: bool) -> None:
        cdp.send("WebAuthn.setUserVerified", {**made, "isUserVerified": yes})

    return turn


@contextmanager
def person(launched, base: str, *, authenticator: bool = False, **more):
    """A browser window of one person; with a passkey that says yes to everything, if wanted."""
    with window(launched, base, **more) as console:
        if authenticator:
            says_yes(console)
        yield console


def chosen(console, founded_site: Founded, who: str, password: str = PASSWORD) -> None:
    """Open an invitation and choose a password, with the keyboard alone."""
    page = console.page
    page.goto(founded_site.invitation(who))
    page.wait_for_function("document.activeElement.tagName === 'BUTTON'")
    console.press("Enter")
    page.wait_for_url("**/enrol/password")
    page.wait_for_function("document.activeElement.type === 'password'")
    page.keyboard.type(password)
    console.press("Tab")
    page.keyboard.type(password)
    console.press("Enter")
    page.wait_for_url("**/enrol/factor")


def enrolled(console, founded_site: Founded, who: str) -> Phone:
    """Enrol with an authenticator app; the browser is signed in afterwards."""
    chosen(console, founded_site, who)
    page = console.page
    page.get_by_role("button", name="Use an app").click()
    phone = Phone(page.locator(".command code").inner_text().replace(" ", ""))
    page.get_by_label("The code the app shows now").fill(phone.code())
    page.get_by_label("Name of the app or phone").fill("my phone")
    console.press("Enter")
    page.wait_for_url(founded_site.base + "/")
    return phone
