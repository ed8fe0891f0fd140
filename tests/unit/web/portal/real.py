"""The portal over a real keeper: patients who enrolled, a policy in force, a browser each, and a clock that tests turn."""

from contextlib import contextmanager
from dataclasses import dataclass

from starlette.testclient import TestClient
from tests.unit.policy import small
from tests.unit.vault.keeper.people import House, founded
from tests.unit.vault.keeper.test_portal import (
    ADDRESS,
    MORE,
    Client,
    Direct,
    code_of,
    enrol,
    proving,
    subject_of,
    trust_anchor,
)
from tests.unit.vault.sites import make_site
from tests.unit.web.portal.conftest import BASE, OURS, Keeper, token_on

from oathward.core.db import connect
from oathward.core.labels import Role
from oathward.core.settings import load
from oathward.proposing import register
from oathward.vault.authority import Seen
from oathward.vault.opened import Opened
from oathward.web.portal.frame import create


@dataclass
class Window:
    """A browser of somebody who enrolled; counts what it asks for."""

    client: TestClient
    house: House
    address: str
    asked: int = 0

    def get(self, path):
        self.asked += 1
        return self.client.get(path, follow_redirects=False)

    def send(self, path, form):
        """Send a form as it stands."""
        self.asked += 1
        return self.client.post(path, data=form, headers=OURS, follow_redirects=False)

    def form(self, path):
        """Read what the form of a page carries."""
        return {"token": token_on(self.get(path).text)}

    def sign_in(self):
        answer = self.send("/sign-in", self.form("/sign-in") | {"address": self.address})
        assert answer.headers["location"] == "/sign-in/code"
        answer = self.send("/sign-in/code", self.form("/sign-in/code") | {"code": code_of(self.house)})
        assert answer.headers["location"] == "/"
        return self


@contextmanager
def house_of(folder, more=MORE):
    """A founded site with a patient, a privacy officer and the small bundle."""
    folder.mkdir()
    (folder / "oathward.toml").write_text(more)
    make_site(folder)
    with founded(load(folder), register) as found:
        found.person("p-privacy", Role.PRIVACY_OFFICER)
        step, _ = found.enrol("p-privacy")
        found.staff = proving.console_proof(step.secret)
        found.portal = Client(Direct(found.keeper, "portal"), "portal", trust_anchor(found.settings)).portal
        found.subject = subject_of(found)
        found.sign(("bundle", "active", small.bundle().body))
        found.engine = connect(found.settings.database_url, reads_only=True)
        try:
            yield found
        finally:
            found.engine.dispose()


@contextmanager
def window(house, address=ADDRESS, **more):
    """A window of somebody who enrols and signs in; ``more``: of their invitation, none where they have one."""
    if more.pop("new", True):
        enrol(house, address=address, **more)
    keeper = Client(Direct(house.keeper, "portal"), "portal", trust_anchor(house.settings))
    seen = Seen(keeper.newest())
    site = Opened(
        *(house.settings, "portal", house.engine, house.time.clock, Keeper(house.portal, keeper.asks)),
        *(trust_anchor(house.settings), seen),
    )
    with TestClient(create(site), base_url=BASE, raise_server_exceptions=False) as client:
        yield Window(client, house, address).sign_in()
