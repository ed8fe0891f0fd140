"""The portal of a fresh site, asked without a socket; the keeper's side of it is a desk that answers as its client says."""

import re
import secrets
from dataclasses import dataclass, field, replace

import pytest
from starlette.testclient import TestClient

from oathward.core.errors import KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.vault.keeper.client.portal import Entry, Holder, Mine, Seat, Shown, Visit
from oathward.web.portal.frame import create

BASE = "http://127.0.0.1:2580"
OURS = {"origin": BASE}
CODE = "123456"
ADDRESS = "ana@example.org"


def seat(access="a-1", *, own=True, scope=("see", "choose", "request"), until_us=None):
    return Seat(access, f"subject-of-{access}", own, "self" if own else "parent", frozenset(scope), until_us)


@dataclass
class Desk:
    """What the keeper knows of one holder, and what it was asked."""

    seats: tuple = (seat(),)
    language: str = ""
    sessions: dict = field(default_factory=dict)
    waiting: set = field(default_factory=set)
    asked: list = field(default_factory=list)
    fails: dict = field(default_factory=dict)
    renew: bool = False

    def _note(self, what):
        self.asked.append(what)
        if what in self.fails:
            raise KeeperError("portal", "", reason=self.fails[what])

    def sign_in_begin(self, login, origin):
        assert isinstance(login, Phi)
        assert origin
        self._note("begin")
        return self._pending()

    def enrol_begin(self, key, origin):
        self._note("enrol")
        if key != "good":
            raise KeeperError("key", "", reason=Reason.INVITATION_ENDED)
        return self._pending()

    def _pending(self):
        self.waiting.add(pending := secrets.token_urlsafe(8))
        return Entry("code", pending)

    def sign_in_code(self, pending, code, origin):
        self._note("code")
        if pending not in self.waiting or code != CODE:
            raise KeeperError("code", "", reason=Reason.SIGN_IN_REFUSED)
        secret = secrets.token_urlsafe(16)
        self.sessions[secret] = "h-1"
        return Entry("signed-in", secret=secret, left_s=3_600)

    def who(self, proof, *, used=True):
        self._note("who")
        if proof["session"] not in self.sessions:
            raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
        return Holder("s-1", "h-1", Phi("Ana"), self.language, self.seats, 3_600, "code", self.renew, 0)

    def renew_(self, proof):
        self._note("renew")
        self.sessions[secret := secrets.token_urlsafe(16)] = self.sessions.pop(proof["session"])
        return secret

    def mine(self, proof):
        self._note("mine")
        return Mine(Phi(ADDRESS), (), (Visit(1, 1, own=True),), ())

    def open(self, subject, messages, proof):
        self._note("open")
        return Shown((), more=False)

    def requests(self, subject, proof):
        return []

    def sent(self, subject, proof):
        return []

    def sign_out(self, proof):
        self._note("sign-out")
        self.sessions.pop(proof["session"], None)


@dataclass
class Keeper:
    """As much of a keeper's client as the portal has."""

    portal: object
    asks: object = None


class Client:
    """The desk under the names of the keeper's client."""

    def __init__(self, desk):
        self._desk = desk

    def __getattr__(self, name):
        return getattr(self._desk, "renew_" if name == "renew" else name)


@dataclass
class Browser:
    """A patient's browser, as far as the server sees one."""

    client: TestClient
    desk: Desk

    def get(self, path, **headers):
        return self.client.get(path, headers=headers, follow_redirects=False)

    def post(self, path, form, *, page="/sign-in", headers=None, token=True):
        data = dict(form)
        if token:
            data["token"] = token_on(self.get(page).text)
        return self.client.post(path, data=data, headers=OURS if headers is None else headers, follow_redirects=False)  # fmt: skip

    def sign_in(self):
        assert self.post("/sign-in", {"address": ADDRESS}).headers["location"] == "/sign-in/code"
        answer = self.post("/sign-in/code", {"code": f" {CODE} "}, page="/sign-in/code")
        assert answer.headers["location"] == "/"
        return answer

    def cookies(self):
        return {cookie.name.split("_")[2] for cookie in self.client.cookies.jar}


def token_on(page):
    return re.search(r'name="token" value="(\w+)"', page)[1]


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def site(opened, desk):
    return replace(opened, keeper=Keeper(Client(desk), Client(desk)))


@pytest.fixture
def browser(site, desk):
    with TestClient(create(site), base_url=BASE, raise_server_exceptions=False) as client:
        yield Browser(client, desk)
