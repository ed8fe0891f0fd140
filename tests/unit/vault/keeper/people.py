"""A site with people and a clock that tests turn: the keeper in this process, asked as its sockets ask it."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace

import orjson
import pyotp
from tests.unit.vault.sites import Time

from oathward.core.db import connect, write
from oathward.core.labels import Role
from oathward.core.settings import Settings
from oathward.policy.people import GRANT, PERSON, SERVICE, Grant, Person, RoleGrant, Service
from oathward.vault import authority
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper import proof, roles, signing
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.proof import Caller, console_proof, pending_proof
from oathward.vault.keeper.sign_in import accounts, persons
from oathward.vault.keeper.sign_in.passwords import Hashes

HERE = "192.0.2.7"
PASSWORD = "purple kettle drifts along"
SETUP = proof.Person("setup", "uid 0")


class Direct:
    """Asks a keeper in this process through the same bytes."""

    def __init__(self, keeper: Keeper, role: str) -> None:
        self.keeper, self.caller = keeper, Caller(role, os.geteuid(), os.getpid())

    def request(self, value):
        answer = operations.answer(self.keeper, self.caller, orjson.loads(orjson.dumps(value)))
        return orjson.loads(orjson.dumps(answer))

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class House:
    """A founded site."""

    settings: Settings
    keeper: Keeper
    time: Time
    app: Client

    @property
    def people(self):
        return self.app.people

    def sign(self, *documents) -> None:
        """Have documents signed and stored: people, grants, services."""
        wanted = [signing.Wanted(kind, id_, 0, body) for kind, id_, body in documents]
        signed = signing.sign(self.keeper, wanted, [SETUP])
        engine = connect(self.settings.database_url)
        with write(engine) as db:
            authority.put_all(db, signed)
        engine.dispose()
        signing.confirm_stored(self.keeper)

    def person(self, id_: str, *granted: Role, **fields) -> Person:
        """Make or change a person."""
        person = Person(**{"id": id_, "name": id_.title(), **fields})
        rows = tuple(RoleGrant(role, 0) for role in granted)
        self.sign((PERSON, id_, person.body()), *([(GRANT, id_, Grant(id_, rows).body())] if granted else []))
        return person

    def service(self, id_: str, owner: str, **fields) -> Service:
        service = Service(**{"id": id_, "name": id_, "owner": owner, **fields})
        self.sign((SERVICE, id_, service.body()))
        return service

    def leave(self, id_: str) -> None:
        """Somebody leaves."""
        person = persons.person_of(self.keeper, id_)
        self.sign((PERSON, id_, replace(person, state="left").body()))

    def invited(self, id_: str, login: str = "") -> str:
        return accounts.invite(self.keeper, SETUP, persons.person_of(self.keeper, id_), login)

    def enrol(self, id_: str, login: str = "", password: str = PASSWORD):
        """Enrol password and TOTP for a person; gives the first session and the phone."""
        step = self.people.enrol_begin(self.invited(id_, login), HERE)
        step = self.people.enrol_password(password, step.pending)
        pending = pending_proof(step.pending)
        secret, _ = self.people.enrol_totp_begin(pending)
        phone = Phone(secret, self.time)
        step = self.people.enrol_totp_finish(phone.code(), "phone", pending)
        self.time.pass_(seconds=60)
        return step, phone

    def sign_in(self, login: str, phone, password: str = PASSWORD):
        """Sign in with password and code; gives the session's proof and the step."""
        step = self.people.sign_in_password(login, password, HERE)
        step = self.people.sign_in_second(step.pending, phone.code(), HERE)
        self.time.pass_(seconds=60)
        return console_proof(step.secret), step


@dataclass
class Phone:
    """Shows codes of the clock the tests turn."""

    secret: str
    time: Time

    def code(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).generate_otp(int(self.time.wall_s // 30) + steps)


@contextmanager
def founded(settings: Settings, register=None):
    """Open a site's keeper as one that has people."""
    time = Time()
    keeper = Keeper(settings, clock=time.clock, monotonic=lambda: time.wall_s, register=register)
    keeper.entrance.hashes = Hashes(memory_kib=64, passes=1)  # what a hash costs is no part of these promises
    keeper.store.set_meta(roles.FOUNDED, "1")
    try:
        yield House(settings, keeper, time, Client(Direct(keeper, "app"), "app", trust_anchor(settings)))
    finally:
        keeper.close()
