"""Stays for tests: ADT by hand, and people as the keeper signs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from tests.site import Site

from oathward.app import build
from oathward.core.db import write
from oathward.core.labels import Role
from oathward.gateway.gate import Gate
from oathward.policy.people import GRANT, PERSON, Grant, Person, RoleGrant
from oathward.proposing import register
from oathward.vault import authority
from oathward.vault.keeper import client, proof, roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import console_proof
from oathward.vault.keeper.server import Server
from oathward.vault.keeper.sign_in.sessions import Visitor
from oathward.vault.keeper.signing import Wanted, confirm_stored, sign

STRUCTURES = {"A01": "ADT_A01", "A04": "ADT_A01", "A08": "ADT_A01", "A40": "ADT_A39"}
MONITOR = "MON1"


def adt(
    event: str,
    *,
    said: str,
    mrn: str = "5550001",
    at: str = "",
    place: str = "ICU^101^A^HOSP",
    attending: str = "D1^Okonjowa^Beatrix^^^^^^HOSP",
    visit: str = "V1^^^HOSP^VN",
    gone: str = "",
    patient_class: str = "I",
    mrg: str = "",
    name: str = "Zebulonova^Quixotella",
    control_id: str = "",
) -> bytes:
    """One ADT message; ``said`` and ``at`` are EVN-2 and EVN-6."""
    pv1 = [""] * 46
    pv1[1], pv1[2], pv1[3], pv1[7], pv1[19], pv1[45] = "1", patient_class, place, attending, visit, gone
    structure = STRUCTURES.get(event, f"ADT_{event}")
    segments = [
        f"MSH|^~\\&|ADT1|HOSP|OATHWARD|SITE|{said}||ADT^{event}^{structure}|{control_id or event + said + mrn}|P|2.6",
        f"EVN||{said}||||{at}",
        f"PID|1||{mrn}^^^HOSP^MR||{name}||19310203|F",
        *([f"MRG|{mrg}^^^HOSP^MR"] if mrg else []),
        *([] if mrg else ["PV1|" + "|".join(pv1[1:]).rstrip("|")]),
    ]
    return ("\r".join(segments) + "\r").encode()


def person(id_: str = "p-1", **more: object) -> Person:
    """Somebody; ``units`` and ``staff_ids`` as sets."""
    facts = {name: frozenset(value) if isinstance(value, set) else value for name, value in more.items()}
    return Person(id=id_, name=facts.pop("name", f"Person {id_}"), **facts)


@contextmanager
def peopled(site: Site, people: Iterable[tuple[Person, Iterable[Role]]]) -> Iterator[SimpleNamespace]:
    """A gateway and a serving keeper of a site that has people: ``gate``, ``keeper``, ``app`` and ``enter(person)``."""
    server = Server(site.settings, register=register)
    gate = Gate(build(site.settings, "gateway"))
    app = client.connect(site.settings, "app", become=False)
    try:
        found(server.keeper, people)

        def enter(id_: str, **more: Any) -> dict[str, str]:
            visitor = Visitor(name=id_, by="test", person_id=id_, always_fresh=True, **more)
            return console_proof(server.keeper.sessions.open(visitor)[0])

        yield SimpleNamespace(site=site, gate=gate, keeper=server.keeper, app=app, enter=enter)
    finally:
        app.close()
        gate.close()
        gate.opened.keeper.close()
        gate.engine.dispose()
        server.stop()


def found(keeper: Keeper, people: Iterable[tuple[Person, Iterable[Role]]]) -> None:
    """Sign people and what they were granted, as if others had agreed."""
    wanted = []
    for one, roles_ in people:
        grant = Grant(one.id, tuple(RoleGrant(role, 0, None, "test") for role in roles_))
        wanted += [Wanted(PERSON, one.id, 0, one.body()), Wanted(GRANT, one.id, 0, grant.body())]
    if not wanted:
        return
    documents = sign(keeper, wanted, [proof.Person("test", "test")])
    with write(keeper.engine) as db:
        authority.put_all(db, documents)
    confirm_stored(keeper)
    keeper.store.set_meta(roles.FOUNDED, "1")
