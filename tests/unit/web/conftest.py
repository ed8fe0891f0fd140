"""The console of a fresh site, asked without a socket: the keeper is in this process, the browser is Starlette's client."""

import re
from dataclasses import dataclass

import pytest
from starlette.testclient import TestClient
from tests.site import Site
from tests.unit.web.viewers import one_loop

from oathward.app import build
from oathward.vault.keeper import client as keepers
from oathward.vault.keeper.proof import admin_proof
from oathward.web.frame import create

BASE = "http://127.0.0.1:2579"
OURS = {"origin": BASE}


@pytest.fixture(scope="module", autouse=True)
def _one_loop():
    with one_loop():
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """One data folder for all: making keys takes a second."""
    return Site.make(tmp_path_factory.mktemp("web") / "s", console=True)


@pytest.fixture
def opened(prepared):
    site = build(prepared.settings, "app")
    yield site
    site.keeper.close()
    site.engine.dispose()


@pytest.fixture
def admin(prepared, opened):
    with keepers.connect(prepared.settings, "admin") as found:
        yield found


@dataclass
class Browser:
    """A person's browser, as far as the server sees one."""

    client: TestClient
    admin: keepers.Client

    def sign_in(self, person: str = "ada", *, acts: bool = True, after: str = "/"):
        key = self.admin.session_invite(admin_proof(person), acts=acts)
        return self.post("/sign-in", {"key": key, "next": after}, token=False)

    def get(self, path: str, **headers: str):
        return self.client.get(path, headers=headers, follow_redirects=False)

    def post(self, path: str, form: dict, *, token: bool = True, headers: dict | None = None):
        data = dict(form)
        if token:
            data["token"] = re.search(r'name="token" value="(\w+)"', self.get("/").text)[1]
        return self.client.post(
            path, data=data, headers=OURS if headers is None else headers, follow_redirects=False
        )


@pytest.fixture
def browser(opened, admin):
    with TestClient(create(opened), base_url=BASE, raise_server_exceptions=False) as client:
        yield Browser(client, admin)
