"""A machine that tries to get round two people: any order of joining, leaving, granting, proposing, approving, signing,
old sessions, second accounts, roles that change half-way. Whatever was signed is judged by the test's own books.
"""

import base64
import os
import tempfile
from pathlib import Path

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests import founded
from tests.founded import bundle_body, proposal, signed_in, version_of
from tests.unit.vault import sites

from oathward.core.db import connect
from oathward.core.labels import Role
from oathward.policy.people import GRANT, PERSON, Grant, Person, RoleGrant
from oathward.vault.authority import Document
from oathward.vault.keeper import roles, signing
from oathward.vault.keeper.changing import founding
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.proof import Caller, admin_proof
from oathward.vault.keeper.proof import Person as Named

PEOPLE = {
    "adam": Role.ADMINISTRATOR,
    "ines": Role.INTEGRATION_ENGINEER,
    "paul": Role.PRIVACY_OFFICER,
    "sara": Role.SECURITY_ANALYST,
    "kim": Role.KEY_HOLDER,
    "clara": Role.CLINICIAN,
}
NAMES = st.sampled_from(sorted(PEOPLE))
ROLES = st.sampled_from([r for r in Role if r not in {Role.SETUP, Role.PROVISIONER, Role.VENDOR_USER}])
APPROVERS = {
    "bundle": {Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST},
    GRANT: {Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST},
}
NEVER = {Role.ADMINISTRATOR, Role.AUDITOR, Role.KEY_HOLDER}


class TwoPeople(RuleBasedStateMachine):
    """The keeper, and what this test knows happened."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.settings = sites.make_site(Path(self._folder.name) / "data")
        self.time = sites.Time()
        self.keeper = Keeper(self.settings, clock=self.time.clock)
        self.engine = connect(self.settings.database_url)
        self.held: dict[str, list[tuple[Role, int, int | None]]] = {}
        self.here: set[str] = set(PEOPLE)
        self.sessions: list[tuple[str, dict[str, str]]] = []
        self.proposals: list[dict] = []
        self.signed: list[dict] = []

    # --- what the keeper is asked, as any process would ask it

    def ask(self, operation: str, **arguments):
        """Ask at the app socket; what is refused gives nothing."""
        request = orjson.loads(orjson.dumps({"op": operation, "args": arguments}))
        answer = operations.answer(self.keeper, Caller("app", os.getuid(), os.getpid()), request)
        return answer.get("ok")

    @initialize()
    def found(self):
        wanted = [signing.Wanted(*one) for one in founded.first_documents(self.time.now_us, PEOPLE)]
        caller = Caller("admin", os.getuid(), os.getpid())
        founded.store(self.engine, founding.found(self.keeper, caller, wanted, admin_proof("setup")))
        founded.register_first(self.keeper)
        self.held = {id_: [(role, self.time.now_us, None)] for id_, role in PEOPLE.items()}

    @rule(person=NAMES, strong=st.booleans(), fresh=st.booleans())
    def sign_in(self, person, strong, fresh):
        """Another session, or another account, of one person: it is the person that counts."""
        self.sessions.append((person, signed_in(self.keeper, person, strong=strong, fresh=fresh)))

    def proof(self, data, person):
        """Show a session: an old one of anybody's past, or one of now."""
        old = [proof for one, proof in self.sessions if one == person]
        if old and data.draw(st.integers(0, 3)) == 0:
            return old[0]
        return signed_in(self.keeper, person)

    @rule(minutes=st.sampled_from([0, 1, 20, 600]))
    def wait(self, minutes):
        self.time.pass_(minutes=minutes)

    @rule(person=NAMES, really=st.integers(0, 3))
    def leave_or_come_back(self, person, really):
        if really:  # else nobody is left to do anything
            return
        body = Person(
            id=person,
            name=person.capitalize(),
            number=f"n-{person}",
            state="left" if person in self.here else "active",
            since_us=self.time.now_us if person not in self.here else self.since(person),
        ).body()
        with self.keeper.store.transaction():
            founded.store(
                self.engine,
                signing.sign(self.keeper, [signing.Wanted(PERSON, person, 0, body)], [Named("hr", "test")]),
            )
        self.here ^= {person}

    def since(self, person):
        return roles.person_of(self.keeper, person).since_us

    # --- what people do

    @rule(data=st.data(), person=st.sampled_from(["ines", "paul", "sara", "adam"]), emergency=st.booleans())
    def propose_bundle(self, data, person, emergency):
        body = bundle_body(f"{len(self.proposals)}")
        founded.keep(self.engine, self.keeper.site, body)
        base = version_of(self.keeper, "bundle", "active")
        self._propose(person, self.proof(data, person), "bundle", "active", body, base, emergency)

    @rule(
        data=st.data(),
        person=st.sampled_from(["adam", "paul", "sara"]),
        about=NAMES,
        role=ROLES,
        ends=st.booleans(),
    )
    def propose_grant(self, data, person, about, role, ends):
        rows = [RoleGrant(r, a, b) for r, a, b in self.held.get(about, ())]
        now_us = self.time.now_us
        if ends:
            rows = [RoleGrant(r.role, r.from_us, min(r.until_us or now_us, now_us)) for r in rows]
        else:
            rows.append(RoleGrant(role, now_us))
        body = Grant(about, tuple(rows)).body()
        base = version_of(self.keeper, GRANT, about)
        self._propose(person, self.proof(data, person), GRANT, about, body, base, emergency=False)

    def _propose(self, person, proof, kind, id_, body, base, emergency):
        document = proposal(kind, [(id_, body)], base=base, emergency=emergency)
        made = self.ask("propose", body=_b64(document), proof=proof)
        if made is not None:
            self.proposals.append(
                {"id": made["id"], "kind": kind, "about": id_, "body": body, "by": person, "at": self.time.now_us,
                 "emergency": emergency, "approved": []}
            )  # fmt: skip

    @precondition(lambda self: self.proposals)
    @rule(data=st.data(), people=st.permutations(sorted(PEOPLE)))
    def approve(self, data, people):
        for one in self.proposals[-3:]:
            for person in people:
                if self.ask("approve", proposal=one["id"], proof=self.proof(data, person)) is not None:
                    one["approved"].append((person, self.time.now_us))

    @precondition(lambda self: self.proposals)
    @rule(data=st.data(), people=st.permutations(sorted(PEOPLE)), swapped=st.integers(0, 4))
    def sign(self, data, people, swapped):
        for one in self.proposals[-3:]:
            body = one["body"] if swapped else data.draw(st.sampled_from(self.proposals))["body"]
            for person in people:
                self._sign(person, self.proof(data, person), one, body)

    def _sign(self, person, proof, one, body):
        answer = self.ask("sign_proposed", proposal=one["id"], bodies=[_b64(body)], proof=proof)
        if answer is None:
            return
        books = {p: list(rows) for p, rows in self.held.items()}  # as they stand when it is signed
        more = {"approved": list(one["approved"]), "for": person, "signed": self.time.now_us, "bytes": body}
        self.signed.append({**one, **more, "books": books})
        self._store(answer)
        if one["kind"] == GRANT:
            grant = Grant.from_body(body)
            self.held[one["about"]] = [(r.role, r.from_us, r.until_us) for r in grant.roles]

    def _store(self, answer):
        documents = [
            Document(
                **{**d, "body": base64.b64decode(d["body"]), "signature": base64.b64decode(d["signature"])}
            )
            for d in answer
        ]
        founded.store(self.engine, documents)

    @rule(data=st.data(), person=NAMES, role=ROLES)
    def help_oneself(self, data, person, role):
        """Ask for the signature itself, past every proposal."""
        proof = self.proof(data, person)
        body = Grant(person, (RoleGrant(role, self.time.now_us),)).body()
        wanted = {"kind": GRANT, "id": person, "version": 0, "body": _b64(body)}
        assert self.ask("sign_people", documents=[wanted], proof=proof) is None
        assert self.ask("sign_devices", documents=[wanted], proof=proof) is None

    # --- the judge

    @invariant()
    def whatever_was_signed_had_two_people(self):
        for one in self.signed:
            assert one["bytes"] == one["body"], "other bytes than were proposed"
            if one["emergency"] and not one["approved"]:
                assert one["kind"] == "bundle"
                assert one["for"] == one["by"]
                continue
            assert one["approved"], "nobody approved"
            second, at_us = one["approved"][0]
            assert second != one["by"], "one person"
            assert not (one["kind"] == GRANT and one["about"] in {second, one["by"]}), "about oneself"
            for moment in (one["at"], at_us, one["signed"]):
                held = self._roles(second, moment, one)
                assert held & APPROVERS[one["kind"]], (second, moment, held)
                assert not held & NEVER, (second, held)

    def _roles(self, person, at_us, one):
        rows = one["books"].get(person, ())
        return {r for r, a, b in rows if a <= at_us and (b is None or at_us < b)}

    def teardown(self):
        self.keeper.close()
        self.engine.dispose()
        self._folder.cleanup()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# Each is fifty steps at a keeper.
_EXAMPLES = 200 if os.environ.get("OATHWARD_HYPOTHESIS") == "nightly" else 12
TestTwoPeople = TwoPeople.TestCase
TestTwoPeople.settings = settings(max_examples=_EXAMPLES, stateful_step_count=50, deadline=None)
