"""What changes the inventory: plan, have the keeper sign, store.

Rules:
- Three steps, because no transaction waits for the keeper: ``plan_…`` reads and checks, the keeper signs,
  ``store`` writes and records. A certificate or name belongs to one device.
- ``revoke`` needs no keeper: it narrows the stored status at once; the signed document follows.
- Each appends its ledger record last; ids, versions and counts only.

Deliberately absent: release of an adopted device's held messages (the caller's, through ``path.handle``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.inventory import sql
from oathward.inventory.keys import parse_key, thumbprint
from oathward.inventory.model import KIND, Device, Status, canonical, check, from_canonical
from oathward.inventory.sheet import LineError, Sheet
from oathward.inventory.strangers import remember_unknown
from oathward.ledger import Record, append, prepare
from oathward.vault.authority import Document, put_all

__all__ = [
    "dismiss",
    "give_token",
    "plan",
    "plan_adoption",
    "plan_certificate",
    "plan_import",
    "plan_keys",
    "plan_status",
    "remember_unknown",
    "revoke",
    "store",
]

RECORDS = frozenset(("device.added", "device.changed", "device.adopted", "device.revoked", "device.retired"))


def plan(db: Connection, site: str, devices: Sequence[Device], *, changes: bool = False) -> list[Document]:
    """Write unsigned documents of new devices, or of changed ones.

    Args:
        changes: devices that are there may change; else one that is there is a conflict.

    Raises:
        InputError: a device is misshapen, is there already, or shows another one's certificate.
    """
    ids: set[str] = set()
    identities: dict[tuple[str, str], str] = {}
    for device in devices:
        check(device)
        if device.id in ids:
            raise InputError(device.id, "stands there twice", reason=Reason.CONFLICT)
        ids.add(device.id)
        for identity in identities_of(device):
            if identities.setdefault(identity, device.id) != device.id:
                raise InputError(device.id, f"another device has this {identity[0]}", reason=Reason.CONFLICT)
        if not changes and sql.row(db, site, device.id) is not None:
            raise InputError(device.id, "there is such a device already", reason=Reason.CONFLICT)
    _check_owners(db, site, identities)
    return [Document(site, KIND, d.id, 0, canonical(d), b"") for d in devices]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do: ids by what happens to them, errors by line. With errors nothing is drafted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    errors: tuple[LineError, ...]
    documents: tuple[Document, ...] = field(default=(), repr=False)


def plan_import(db: Connection, site: str, sheet: Sheet) -> ImportPlan:
    """Compare a sheet with the inventory and write unsigned documents of what is new or changed.

    A device that is there keeps what the sheet has no column for: its certificates, its status.
    """
    errors = list(sheet.errors)
    states: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    wanted: list[Device] = []
    for device, line, stated in zip(sheet.devices, sheet.lines, sheet.stated, strict=True):
        row = sql.row(db, site, device.id)
        if row is not None:
            given = {name: getattr(device, name) for name in stated}
            before = _stored(db, site, device.id)
            device = dataclasses.replace(before, **given)
            states["unchanged" if device == before else "changed"].append(device.id)
        else:
            states["added"].append(device.id)
        if row is None or device != before:
            wanted.append(device)
            errors += _errors_of(db, site, device, line)
    errors = sorted(errors, key=lambda e: e.line)
    documents = () if errors else tuple(Document(site, KIND, d.id, 0, canonical(d), b"") for d in wanted)
    return ImportPlan(
        tuple(states["added"]), tuple(states["changed"]), tuple(states["unchanged"]), tuple(errors), documents
    )


def _errors_of(db: Connection, site: str, device: Device, line: int) -> list[LineError]:
    try:
        check(device)
        _check_owners(db, site, dict.fromkeys(identities_of(device), device.id))
    except InputError as error:
        column = "certificates" if error.reason is Reason.CONFLICT else error.where
        return [LineError(line, column, error.why)]
    return []


def plan_status(db: Connection, site: str, id_: str, status: Status) -> Document:
    """Write the unsigned document of a device with another status.

    Raises:
        InputError: ``not-found``.
    """
    device = dataclasses.replace(_stored(db, site, id_), status=status)
    return Document(site, KIND, id_, 0, canonical(device), b"")


def plan_certificate(db: Connection, site: str, id_: str, sha256: bytes, *, keep: bool) -> Document:
    """Write the unsigned document of a device with a new certificate.

    Args:
        sha256: of the certificate in DER, 32 bytes.
        keep: the certificates it had stay valid beside the new one.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it is another device's.
    """
    device = _stored(db, site, id_)
    old = device.certificates if keep else frozenset()
    device = dataclasses.replace(device, certificates=old | {sha256.hex()})
    return plan(db, site, [device], changes=True)[0]


def plan_keys(db: Connection, site: str, id_: str, keys: frozenset[str], *, keep: bool) -> Document:
    """Write the unsigned document of a device with other keys.

    Args:
        keys: as ``keys.canonical`` writes them. keep: those it had stay valid beside them.

    Raises:
        InputError: ``not-found``, or ``conflict`` where one is another device's.
    """
    device = _stored(db, site, id_)
    names = {thumbprint(parse_key(key)) for key in keys}
    kept = {key for key in device.keys if keep and thumbprint(parse_key(key)) not in names}
    device = dataclasses.replace(device, keys=keys | kept)
    return plan(db, site, [device], changes=True)[0]


def plan_adoption(db: Connection, site: str, held_id: str, device: Device, *, pin_address: bool) -> Document:
    """Write the unsigned document of somebody who was held: how it proved itself is added to ``device``.

    Args:
        pin_address: it had no certificate; its address identifies it from now on.

    Raises:
        InputError: ``not-found``; or it showed nothing that could identify it again.
    """
    held = sql.held_row(db, site, held_id)
    if held is None or held.state != "held" or not (held.address or held.certificate):
        raise InputError("held device", "no such device is held", reason=Reason.NOT_FOUND)
    if not held.certificate and not pin_address:
        raise InputError(
            "held device", "showed no certificate: pin its address, or give it a certificate first"
        )
    sender = "|".join(part for part in (held.application, held.facility))
    device = dataclasses.replace(
        device,
        certificates=device.certificates | ({held.certificate} if held.certificate else set()),
        addresses=device.addresses | ({held.address} if pin_address else set()),
        senders=device.senders or (frozenset((sender,)) if held.application else frozenset()),
    )
    return plan(db, site, [device])[0]


def store(
    db: Connection,
    site: str,
    documents: Sequence[Document],
    *,
    kind: str,
    by: str,
    now_us: int,
    held: str = "",
    reason: str = "",
) -> None:
    """Store signed devices and record them; the last call before the caller's commit.

    Args:
        kind: one of ``RECORDS``. held: the one among ``held_device`` that this adopts.
        reason: a code or words about the device.

    Raises:
        InputError: ``conflict``; another change came first: plan again.
    """
    assert kind in RECORDS, kind
    n = sql.next_change(db, site)
    leaves = []
    for document in documents:
        device = from_canonical(document.body)
        last = sql.row(db, site, document.id)
        if last is not None and last.document.version >= document.version:
            raise InputError(document.id, "another change came first", reason=Reason.CONFLICT)
        identities = identities_of(device)
        sql.put(db, document, status=str(device.status), identities=identities, n=n)
        body: dict[str, object] = {"by": by, "device": device.id, "version": document.version}
        body |= {"kind": device.kind, "status": str(device.status), "certificates": len(device.certificates)}
        body |= {"authoritative_adt": device.authoritative_adt} if device.authoritative_adt else {}
        body |= {"held": held} if held else {}
        body |= {"reason": reason} if reason else {}
        leaves.append(prepare(Record(kind, body, now_us)))
    if held:
        sql.set_held_state(db, site, held, "adopted")
    put_all(db, documents)  # where the keeper sees that they arrived: from then on none may be missing
    append(db, site, leaves)


def revoke(db: Connection, site: str, id_: str, *, by: str, reason: str, now_us: int) -> None:
    """Cut a device off at once; every process sees it within a second. The last call before commit.

    Args:
        reason: a code or words about the device, never about a patient.

    Raises:
        InputError: ``not-found``.
    """
    if not sql.set_status(db, site, id_, str(Status.REVOKED), sql.next_change(db, site)):
        raise InputError(id_, "no such device", reason=Reason.NOT_FOUND)
    body = {"by": by, "device": id_, "reason": reason}
    append(db, site, [prepare(Record("device.revoked", body, now_us))])


def give_token(
    db: Connection, site: str, id_: str, key: str, digest: bytes, *, until_us: int, now_us: int
) -> bool:
    """Note a signed request for an access token and record that one was given; says whether it may be.

    Args:
        key: thumbprint of the key that signed it. digest: of what makes the request the same.
        until_us: when the request is over, and need not be remembered any more.
    """
    if not sql.use_assertion(db, site, digest, until_us=until_us, now_us=now_us):
        return False
    append(db, site, [prepare(Record("token.given", {"device": id_, "key": key}, now_us))])
    return True


def dismiss(db: Connection, site: str, held_id: str, *, by: str, now_us: int) -> None:
    """Take somebody off the list of held devices; if heard again it stays off. The last call before commit.

    Raises:
        InputError: ``not-found``.
    """
    if sql.held_row(db, site, held_id) is None:
        raise InputError("held device", "no such device is held", reason=Reason.NOT_FOUND)
    sql.set_held_state(db, site, held_id, "dismissed")
    append(db, site, [prepare(Record("device.dismissed", {"by": by, "held": held_id}, now_us))])


def identities_of(device: Device) -> list[tuple[str, str]]:
    """List what only one device may have: certificate fingerprints, names in certificates, and keys."""
    return [
        *(("certificate", c) for c in sorted(device.certificates)),
        *(("certificate name", n) for n in sorted(device.certificate_names)),
        *(("key", k) for k in sorted({thumbprint(parse_key(key)) for key in device.keys})),
    ]


def _check_owners(db: Connection, site: str, identities: dict[tuple[str, str], str]) -> None:
    for identity, owner in sql.owners(db, site, identities).items():
        if owner != identities[identity]:
            raise InputError(
                identities[identity], f"another device has this {identity[0]}", reason=Reason.CONFLICT
            )


def _stored(db: Connection, site: str, id_: str) -> Device:
    row = sql.row(db, site, id_)
    if row is None:
        raise InputError(id_, "no such device", reason=Reason.NOT_FOUND)
    # The status in force may be narrower than the signed one: a change must not widen it in passing.
    device = row.device
    return (
        device
        if device.status is not Status.ACTIVE
        else dataclasses.replace(device, status=Status(row.status))
    )
