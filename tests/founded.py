"""A site with people, for tests: a keeper in this process, first people, and sessions without the ceremony of signing in."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager

import orjson
from tests.site import bundle as site_bundle

from oathward import bundles
from oathward.changes import actions as changes
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.governance import sql as register
from oathward.governance.derive import digest_of
from oathward.governance.model import Acceptability, AssessedKind, AssessmentRow, EntryKind, EntryRow
from oathward.policy.files import canonical, unpack
from oathward.policy.people import GRANT, PERSON, Grant, Person, RoleGrant
from oathward.proposing import register as looking_up
from oathward.vault.authority import newest_version, put_all
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import admin_proof, console_proof
from oathward.vault.keeper.sign_in.sessions import Visitor

FIRST = {
    "adam": Role.ADMINISTRATOR,
    "ines": Role.INTEGRATION_ENGINEER,
    "paul": Role.PRIVACY_OFFICER,
    "sara": Role.SECURITY_ANALYST,
}
"""Person id -> role of the first people; more are made as a test needs them."""


def first_documents(
    now_us: int, people: dict[str, Role] = FIRST, **more: dict
) -> list[tuple[str, str, int, bytes]]:
    """Write the first people and their grants, as ``changes.found`` takes them."""
    found = []
    for id_, role in people.items():
        usual = {"name": id_.capitalize(), "number": f"n-{id_}"}
        person = Person(id=id_, **usual | more.get(id_, {}))
        grant = Grant(id_, (RoleGrant(role, now_us, why="first people"),))
        found += [(PERSON, id_, 0, person.body()), (GRANT, id_, 0, grant.body())]
    return found


def store(engine, documents) -> None:
    """Store what was signed."""
    with write(engine) as db:
        put_all(db, documents)


def found(site_client, engine, now_us: int, people: dict[str, Role] = FIRST, **more: dict) -> None:
    """Found a site through a client of the admin socket."""
    documents = site_client.changes.found(first_documents(now_us, people, **more), admin_proof("setup"))
    store(engine, documents)


def signed_in(keeper: Keeper, person_id: str, *, strong: bool = True, fresh: bool = True) -> dict[str, str]:
    """Sign a person in without asking them anything; gives the proof."""
    visitor = Visitor(
        name=person_id.capitalize(), by="test", person_id=person_id, strong=strong, always_fresh=fresh
    )
    secret, session = keeper.sessions.open(visitor, keeper.now_us())
    if not fresh:
        session.proved_s = float("-inf")
    return console_proof(secret)


ATTACHED = tuple((kind, "a test", "0" * 64) for kind in ("assessment", "owner", "steward"))
"""What the first bundle of a site brings along, as its proposal names it."""


def proposal(
    kind: str, documents, *, base: int, emergency: bool = False, id_: str = "", attached=ATTACHED, dry_run=""
) -> bytes:
    """Write a proposal of bodies: (id, body) pairs of one kind."""
    stated = {
        "attachments": [list(row) for row in attached] if kind == "bundle" else [],
        "base_version": base,
        "documents": [[kind, name, hashlib.sha256(body).hexdigest()] for name, body in documents],
        "dry_run": dry_run,
        "emergency": emergency,
        "id": id_ or uuid7(),
        "kind": kind,
        "reason": "a test",
    }
    return orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)


def bundle_body(text: str) -> bytes:
    """Write a bundle that keeps originals and sends nothing: one that an emergency may put in force too."""
    return canonical(site_bundle({}) | {"README.md": text.encode()})


def keep(engine, site: str, *bodies: bytes) -> None:
    """Keep files as the console does when somebody drafts: a keeper reads them when it is asked to approve."""
    with write(engine) as db:
        for body in bodies:
            changes.keep_file(db, site, body, now_us=1)


def register_first(keeper: Keeper) -> None:
    """Let a keeper look things up, and register what the first bundle needs: its link has an owner and was assessed."""
    keeper.register = looking_up
    link = bundles.check(unpack(bundle_body("first"))).links["keep"]
    common = {
        "privacy": "fine",
        "security": "fine",
        "author": "ines",
        "approver": "paul",
        "at_us": 1,
        "approved_us": 2,
    }
    common |= {"outcome": Acceptability.ACCEPTABLE, "valid_until_us": keeper.now_us() + 365 * 86_400_000_000}
    with write(keeper.engine) as db:
        entry = EntryRow(EntryKind.LINK, "keep", owner="ines", steward="paul", version=1)
        register.put_entry(db, keeper.site, entry)
        for kind, about, digest in (("link", "keep", digest_of(link)), ("purpose", "TREAT", "")):
            row = {"id": f"a-{about}", "kind": AssessedKind(kind), "about": about, "about_digest": digest}
            register.put_assessment(db, keeper.site, AssessmentRow(**row | common))


def version_of(keeper: Keeper, kind: str, id_: str) -> int:
    """Say which version was signed last."""
    with read(keeper.engine) as db:
        return newest_version(db, keeper.site, kind, id_)


@contextmanager
def keeper_of(settings):
    """Be the keeper."""
    keeper = Keeper(settings)
    try:
        yield keeper
    finally:
        keeper.close()
