"""A large site for the console's bench: a hospital's devices, a day's messages, its patients and its people.

Rules:
- Devices, messages and records are written as rows; patients come as ADT through the gateway's own path, and the few whose
  pages are asked for have real messages, sealed as any.
- People are signed by the site's own keeper, as if others had agreed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from tests.care import adt, peopled, person
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward import ledger, proposing
from oathward.app import Opened
from oathward.core.clock import micros
from oathward.core.db import checkpoint, read, write
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory import sql as inventory
from oathward.inventory.actions import identities_of
from oathward.inventory.model import KIND, Device, Peer, canonical
from oathward.inventory.strangers import remember_unknown
from oathward.ledger import Record, append, prepare
from oathward.messages import sql as messages
from oathward.messages.model import HeldRow, MessageRow, OutboxRow
from oathward.people import actions, grants, sheet, sql
from oathward.policy.files import unpack
from oathward.policy.people import GRANT, Grant, RoleGrant
from oathward.vault import authority
from oathward.vault.authority import Document, signing_input
from oathward.vault.bodies import BodyRef
from oathward.vault.keeper.proof import admin_proof
from oathward_sim.envelope import Reader

GROUP, SIGNED = 2_000, 500
DAY_US = 86_400_000_000
HELD_EACH = 50
PENDING = 10_000
REASONS = (Reason.DEVICE_UNKNOWN, Reason.DEVICE_MISMATCH, Reason.PATIENT_AMBIGUOUS, Reason.GUARD_STOPPED)
LINKS = ("ehr", "ward-display")
WARDS, EMPLOYEES, SUBJECTS = 90, 3_000, 20_000
INPATIENTS = 10
"""One in so many is in the house now."""
MEASURED, VALUES = 20, 200
"""So many patients of the first ward have this many messages each."""
ROLES = tuple(
    role for role in Role if role not in {Role.SETUP, Role.PROVISIONER, Role.KEY_HOLDER, Role.VENDOR_USER}
)
"""One viewer of each; the clinician is of the first ward."""
HERE = Peer("127.0.0.1", None, ())


def make(folder: Path, devices: int, count: int, patients: int, chance: random.Random) -> Site:
    """Make the data folder."""
    site = Site.make(folder, more="[keeper]\nopenings_per_person_per_hour_max = 1000000\n", console=True)
    site.activate(
        bundle(dict.fromkeys(LINKS, "mllp://127.0.0.1:9"), ("file:" + str(folder), Reader().public))
    )
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-9", "MON9"))
    with site.admin() as opened:
        signer = opened.keeper._transport._keeper.authority  # noqa: SLF001  a hundred thousand devices, signed one by one
        now_us = micros(opened.clock.now())
        _devices(opened.engine, site.settings.site.name, devices, signer)
        _unknown(opened.engine, site.settings.site.name, now_us)
        _people(opened, now_us)
        _messages(opened.engine, site.settings.site.name, count, devices, now_us, chance)
    with peopled(site, [(person(), [Role.AUDITOR])]) as world:
        _patients(world.gate, patients)
    with site.admin() as opened:
        while ledger.index(opened.engine, site.settings.site.name):
            pass
        checkpoint(opened.engine)
    (folder / "made").touch()
    return site


def propose(opened: Opened, by: str) -> str:
    """Draft a change of a link and try it on what two days recorded; gives the proposal's id."""
    active = proposing.in_force(opened)
    assert active is not None
    files = dict(unpack(active.bundle.body))
    files["links/ehr.toml"] = files["links/ehr.toml"].replace(b'["*"]', b'["observation.*", "patient.*"]', 1)
    row = proposing.draft(opened, files, "less for the record", by)
    proposing.try_out(opened, row.id, by, days=2)
    return row.id


def viewers(site: Site) -> dict[Role, str]:
    """Say who has which of ``ROLES``: person ids."""
    numbers = {f"{4712 + n}": role for n, role in enumerate(ROLES)}
    return {
        numbers[number]: id_
        for id_, number in site.rows("SELECT id, number FROM person")
        if number in numbers
    }


def _people(opened: Opened, now_us: int) -> None:
    """Bring employees in by a list, a tenth of whom have a role; the first ones are the viewers."""
    lines = [
        f"{4712 + n},Employee {n},e{n}@hospital.example,HOSP|WARD-{n % WARDS if n >= len(ROLES) else 0}"
        for n in range(EMPLOYEES)
    ]
    with read(opened.engine) as db:
        text = "\n".join(("number,name,mail,units", *lines)).encode()
        drafts = actions.plan_import(db, opened.site, sheet.parse(text), now_us).documents
    for signed in _signed(opened, drafts):
        with write(opened.engine) as db:
            actions.store(db, opened.site, signed, by="bench", now_us=now_us)
    with read(opened.engine) as db:
        ids = {row.person.number: row.person.id for row in sql.rows(db, opened.site)}
    given = {
        ids[f"{4712 + n}"]: ROLES[n] if n < len(ROLES) else Role.CLINICIAN for n in range(EMPLOYEES // 10)
    }
    rows = {id_: (RoleGrant(role, now_us, None, "works here"),) for id_, role in given.items()}
    granted = [Document(opened.site, GRANT, id_, 0, Grant(id_, row).body(), b"") for id_, row in rows.items()]
    behind = {"proposer": "", "approver": "", "proposal": ""}
    for signed in _signed(opened, granted):
        with write(opened.engine) as db:
            grants.store_approved(db, opened.site, signed, **behind, now_us=now_us)


def _signed(opened: Opened, drafts: Sequence[Document]) -> Iterator[list[Document]]:
    wanted = [(d.kind, d.id, d.version, d.body) for d in drafts]
    for start in range(0, len(wanted), SIGNED):
        yield opened.keeper.sign_many(wanted[start : start + SIGNED], [admin_proof("bench")])


def _patients(gate: Gate, count: int) -> None:
    """Have the registration say who is in the house; the first ones are measured, once a minute."""
    now_us = gate.now_us()

    def said(minutes_ago: int) -> str:
        return time.strftime("%Y%m%d%H%M%S+0000", time.gmtime(now_us / 1e6 - 60 * minutes_ago))

    def registered(n: int) -> bytes:
        here = n < MEASURED or n % INPATIENTS == 0
        place = f"WARD-{1 + n % (WARDS - 1) if n >= MEASURED else 0}^1^1^HOSP"
        event = "A01" if here else "A03"
        return adt(
            event, said=said(300), mrn=mrn_of(n), visit=f"V{n}^^^HOSP^VN", place=place, control_id=f"R{n}"
        )

    def measured(n: int, minute: int) -> bytes:
        raw = oru(
            f"M{n}-{minute}",
            sender="MON9",
            mrn=mrn_of(n),
            name="Zebulonova^Quixotella",
            value=f"{60 + minute % 40}",
        )
        return raw.replace(b"20260504081500+0000", said(minute).encode())

    _take(gate, (registered(n) for n in range(count)))
    _take(gate, (measured(n, minute) for n in range(MEASURED) for minute in range(VALUES, 0, -1)))


def mrn_of(n: int) -> str:
    """The medical record number of the n-th patient."""
    return f"{1_000_000 + n}"


def _take(gate: Gate, raws: Iterable[bytes]) -> None:
    for batch in batched(raws, 200):
        commit_group(gate, [handle(gate, Arrival(uuid7(), raw, HERE, gate.now_us(), HL7V2)) for raw in batch])
        assert gate.trouble == "", gate.trouble
        gate.refresh()


def batched(items: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Give items in lists of ``size``."""
    each = iter(items)
    while some := list(islice(each, size)):
        yield some


def _devices(engine, site: str, count: int, signer) -> None:
    for start in range(0, count, GROUP):
        documents = []
        for n in range(start, min(start + GROUP, count)):
            device = Device(
                id=f"dev-{n}" if n else "mon-1", name=f"Infusion pump {n}", kind=("pump", "monitor", "ventilator")[n % 3],
                make="Acme", model=f"M{n % 7}", serial=f"S{n:08d}", location=f"WARD-{n % 90}", owner="biomed",
                senders=frozenset({f"DEV{n}"}), certificates=frozenset({f"{n:064x}"}), tags=frozenset({"icu"}),
            )  # fmt: skip
            unsigned = Document(site, KIND, device.id, 1, canonical(device), b"", 1)
            signed = Document(
                site, KIND, device.id, 1, unsigned.body, signer.sign(signing_input(unsigned)), 1
            )
            documents.append((device, signed))
        with write(engine) as db:
            for device, document in documents:
                status = "active" if hash(device.id) % 50 else "revoked"
                inventory.put(db, document, status=status, identities=identities_of(device), n=1)
            authority.put_all(db, [document for _, document in documents])


def _unknown(engine, site: str, now_us: int) -> None:
    with write(engine) as db:
        for n in range(40):
            peer = Peer(f"10.9.0.{n}")
            remember_unknown(db, site, peer, (b"STRANGER%d" % n, b"WARD"), now_us)


def _messages(engine, site: str, count: int, devices: int, now_us: int, chance: random.Random) -> None:
    step_us = DAY_US // count
    for start in range(0, count, GROUP):
        rows, held, outbox, leaves = [], [], [], []
        for n in range(start, min(start + GROUP, count)):
            at_us = now_us - DAY_US + n * step_us
            id_, device, subject = (
                uuid7(at_us // 1_000),
                f"dev-{chance.randrange(devices)}",
                f"s-{n % SUBJECTS:05d}",
            )
            reason = chance.choice(REASONS).code if n % HELD_EACH == 0 else ""
            rows.append(
                MessageRow(
                    id_, site, chance.randbytes(16), chance.randbytes(16), "AA", at_us, device, subject, "ORU^R01",
                    chance.randrange(300, 3_000), "held" if reason else "accepted", reason,
                )
            )  # fmt: skip
            if reason:
                state = "held" if n % (HELD_EACH * 2) else "released"
                held.append(HeldRow(id_, site, at_us, device, "10.0.0.1 -", reason, "PID-3", "", state))
                body = {"device": device, "reason": reason, "where": "PID-3"}
                leaves.append(prepare(Record("message.quarantined", body, at_us, subject, (), id_)))
                continue
            answers = [
                [link, "permit", f"{n:016X}{k:04X}", {"patient.name": 2}] for k, link in enumerate(LINKS)
            ]
            body = {"answers": answers, "assurance": "certificate", "bundle": "starter@1", "device": device, "facts": [], "type": "ORU^R01"}  # fmt: skip
            leaves.append(prepare(Record("message.accepted", body, at_us, subject, LINKS, id_)))
            if n >= count - PENDING:
                outbox.append(
                    OutboxRow(
                        answers[0][2], site, id_, "ehr", device, subject, "k", BodyRef("outbox/gateway", 1, n, 9, bytes(32)),
                        False, "starter@1", 0, bytes(32), bytes(32), 0, at_us,
                    )
                )  # fmt: skip
        with write(engine) as db:
            messages.insert_messages(db, rows)
            messages.insert_held(db, held)
            messages.insert_outbox(db, outbox)
            append(db, site, leaves)
