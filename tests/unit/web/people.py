"""The console of a site with people, asked without a socket; its clock is turned by the test."""

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.testclient import TestClient
from tests.unit.vault.keeper.people import PASSWORD, House, Phone, founded

from oathward.core.db import connect
from oathward.core.settings import Settings, load
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.opened import Opened
from oathward.web.frame import create

BASE = "http://localhost:2579"
OURS = {"origin": BASE}
COOKIE = "oathward_2579"


@dataclass
class Browser:
    """A browser on the console: cookies, forms as the page shows them, and where it is sent."""

    client: TestClient
    house: House

    def get(self, path: str, **headers: str):
        return self.client.get(path, headers=headers, follow_redirects=False)

    def send(self, path: str, form: dict, **headers: str):
        """Send a form as it is given."""
        return self.client.post(path, data=form, headers=OURS | headers, follow_redirects=False)

    def post(self, page: str, path: str, **form: str):
        """Send a form of a page, with its token."""
        text = self.get(page).text
        return self.send(path, {"token": token_in(text), **form})

    def sign_in(self, login: str, phone: Phone, *, password: str = PASSWORD, after: str = "/"):
        """Sign in with password and code."""
        first = self.post(f"/sign-in?next={after}", "/sign-in/password", login=login, password=password, next=after)  # fmt: skip
        assert first.headers["location"] == "/sign-in/second", first.text
        self.house.time.pass_(seconds=60)
        return self.post("/sign-in/second", "/sign-in/second", code=phone.code())

    def plant(self, name: str, value: str) -> None:
        """Have the browser hold a cookie that somebody else chose."""
        self.client.cookies.set(name, value, domain="localhost.local", path="/")

    @property
    def session(self) -> str:
        return self.client.cookies.get(COOKIE, "")


def copied(prepared: Path, folder: Path, toml: str = "") -> Settings:
    """Copy a data folder that has its keys: making them takes a second."""
    shutil.copytree(prepared, folder)
    if toml:
        with (folder / "oathward.toml").open("a") as file:
            file.write(toml)
    return load(folder)


def token_in(text: str) -> str:
    return re.search(r'name="token" value="(\w+)"', text)[1]


@contextmanager
def console(settings):
    """Serve the console of a founded site; gives what makes browsers."""
    with founded(settings) as house:
        engine = connect(settings.database_url)
        site = Opened(settings, "app", engine, house.time.clock, house.app, trust_anchor(settings), Seen())
        clients: list[TestClient] = []

        def browser() -> Browser:
            client = TestClient(create(site), base_url=BASE, raise_server_exceptions=False)
            clients.append(client)
            client.__enter__()
            return Browser(client, house)

        try:
            yield house, browser
        finally:
            for client in clients:
                client.__exit__(None, None, None)
            engine.dispose()
