"""Options and steps that the ``oathward device`` commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import now_us, read_bytes, recorded_as, sign
from oathward.cli.output import console
from oathward.cli.permitted import used
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.inventory.actions import ImportPlan
    from oathward.inventory.model import Device, Status
    from oathward.inventory.views import DeviceView, HeldView, Known
    from oathward.vault.opened import Opened

ERRORS_SHOWN_MAX = 50
HINTS_SHOWN_MAX = 10

Name = Annotated[str, typer.Option(help="What people call it.")]
Kind = Annotated[str, typer.Option(help="pump, monitor, ventilator, gateway, adt …")]
Make = Annotated[str, typer.Option(help="Manufacturer.")]
Model = Annotated[str, typer.Option(help="Model.")]
Serial = Annotated[str, typer.Option(help="Serial number.")]
Udi = Annotated[str, typer.Option(help="Unique device identifier.")]
Location = Annotated[str, typer.Option(help="Where it stands.")]
Owner = Annotated[str, typer.Option(help="Who answers for it.")]
Senders = Annotated[
    list[str] | None, typer.Option("--sender", help="MSH-3, or MSH-3|MSH-4, it may use; may be repeated.")
]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help="IP address or network it is pinned to; may be repeated."),
]
Certificates = Annotated[
    list[str] | None,
    typer.Option("--certificate", help="SHA-256 of its certificate in hex, or the file; may be repeated."),
]
ClientKeys = Annotated[
    list[str] | None,
    typer.Option("--client-key", help="File of a public key it signs token requests with; may be repeated."),
]
Equipment = Annotated[
    list[str] | None, typer.Option("--equipment", help="How OBX-18 names it; may be repeated.")
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Group for links; may be repeated.")]
Types = Annotated[
    list[str] | None,
    typer.Option("--message-type", help="ORU^R01, ADT^* …; may be repeated; all by default."),
]
Vouches = Annotated[
    list[str] | None, typer.Option("--vouches-for", help="Device id, kind:… or tag:…; may be repeated.")
]
Authority = Annotated[
    str, typer.Option("--default-authority", help="Assigning authority of patient numbers that name none.")
]
IdentifierType = Annotated[
    str, typer.Option("--default-identifier-type", help="Type of patient numbers that name none, such as MR.")
]
Adt = Annotated[bool, typer.Option("--authoritative-adt", help="It may say who is who.")]
DeviceId = Annotated[str, typer.Argument(metavar="ID", help="Device id.")]
WhyOption = Annotated[str, typer.Option("--why", help="Why; recorded in the ledger. No patient data.")]


def folder_for(site: Opened, out: str, ids: Sequence[str]) -> Path:
    """Make the folder for keys and certificates.

    Raises:
        InputError: ``conflict``: a key of one of these devices lies there; it is never overwritten.
    """
    folder = Path(out) if out else site.settings.data / "certificates"
    for id_ in ids:
        key = folder / f"{id_}.key"
        if key.exists():
            why = "a key lies there already and is not overwritten; move it away, or name a folder with --out"
            raise InputError(str(key), why, reason=Reason.CONFLICT)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def issue(site: Opened, id_: str, folder: Path, person: str, *, keep_old: bool) -> dict[str, Any]:
    """Make key and certificate of one device, and let the inventory know the certificate.

    Gives files and fingerprint, and in ``replaced`` the fingerprints that stop identifying it now.
    """
    from oathward.core.db import read, write
    from oathward.inventory import actions, sql

    with read(site.engine) as db:
        row = sql.row(db, site.site, id_)
    if row is None:
        raise InputError(id_, "no such device", reason=Reason.NOT_FOUND)
    replaced, by = [] if keep_old else sorted(row.device.certificates), recorded_as(site, person)
    made = certify(site, id_, person)
    with read(site.engine) as db:
        draft = actions.plan_certificate(db, site.site, id_, made.fingerprint, keep=keep_old)
    documents = sign(site, [draft], person)
    files = made.write(id_, folder)
    with write(site.engine) as db:
        actions.store(db, site.site, documents, kind="device.changed", by=by, now_us=now_us(site))
    return {**files, "replaced": replaced}


@dataclass(frozen=True, slots=True)
class Made:
    """A key and its certificate that no file holds yet."""

    private: bytes = field(repr=False)
    certificate: bytes
    ca: bytes
    fingerprint: bytes

    def write(self, id_: str, folder: Path) -> dict[str, str]:
        """Write the files; gives their paths and the fingerprint, for people and JSON."""
        from oathward.vault import certificates
        from oathward.vault.sign import write_file

        paths = {
            "key": folder / f"{id_}.key",
            "certificate": folder / f"{id_}.pem",
            "ca": folder / "device-ca.pem",
        }
        write_file(paths["key"], self.private, 0o600)
        write_file(paths["certificate"], certificates.to_pem(self.certificate), 0o600)
        write_file(paths["ca"], certificates.to_pem(self.ca), 0o644)
        sha256 = self.fingerprint.hex()
        return {"device": id_, "sha256": sha256, **{name: str(path) for name, path in paths.items()}}


def certify(site: Opened, id_: str, person: str) -> Made:
    """Make a key and have the built-in CA certify it for a device id."""
    from oathward.vault import certificates

    private, public = certificates.new_key()
    proof = proof_of(site.settings, site.keeper, person)
    made, ca = site.keeper.certify("device", [id_], public, proof)
    used(site, proof, "certificate.issue")
    return Made(private, made, ca, certificates.fingerprint(made))


def set_status(site: Opened, id_: str, status: Status, kind: str, person: str, reason: str) -> None:
    """Have a device signed with another status, and store it."""
    from oathward.core.db import read, write
    from oathward.inventory import actions

    with read(site.engine) as db:
        draft = actions.plan_status(db, site.site, id_, status)
    documents, by = sign(site, [draft], person), recorded_as(site, person)
    with write(site.engine) as db:
        actions.store(db, site.site, documents, kind=kind, by=by, now_us=now_us(site), reason=reason)


def fingerprint_of(given: str) -> str:
    """Read a fingerprint, or compute it of a certificate file."""
    from oathward.inventory.keys import FILE_BYTES_MAX, fingerprint_apart

    plain = given.replace(":", "").lower()
    if len(plain) == 64 and all(c in "0123456789abcdef" for c in plain):
        return plain
    return fingerprint_apart(read_bytes(given, FILE_BYTES_MAX))


def keys_of(file: str) -> frozenset[str]:
    """Read the public keys in a file: a JWK, a JWK set or a PEM.

    Raises:
        InputError: it is something else, or holds a private key.
    """
    from oathward.inventory.keys import FILE_BYTES_MAX, read_apart

    return read_apart(read_bytes(file, FILE_BYTES_MAX))


def reason_of(text: str) -> str:
    """Read a reason that will stand in the ledger.

    Raises:
        InputError: there is none.
    """
    if not text.strip():
        raise InputError("--why", "say why; it stands in the ledger")
    return text.strip()[:200]


def print_devices(found: Sequence[DeviceView]) -> None:
    """Show devices as a table."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        "id", "kind", "make and model", "location", "proves itself by", "status", box=None, pad_edge=False
    )
    for view in found:
        d = view.device
        state = view.status if view.signed == "yes" else f"{view.status}, NOT BELIEVED: {view.signed}"
        table.add_row(
            *(escape(text) for text in (d.id, d.kind, f"{d.make} {d.model}".strip(), d.location)),
            assured_by(d),
            state,
        )
    console().print(table)


def print_held(found: Sequence[HeldView]) -> None:
    """Show who is held as a table; what they say of themselves is text, not markup."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        "held device",
        "last heard (UTC)",
        "messages",
        "address",
        "certificate",
        "says it is",
        "reason",
        box=None,
    )
    table.columns[0].no_wrap = True
    for h in found:
        when = f"{from_micros(h.last_us):%Y-%m-%d %H:%M:%S}"
        says = "|".join(part for part in (h.application, h.facility) if part)
        table.add_row(
            h.id, when, str(h.messages), h.address, h.certificate[:16] or "none", escape(says), h.reason
        )
    console().print(table)


def print_hints(found: Sequence[HeldView], known: Known) -> None:
    """Say for each that is held whose name or certificate it has, and the command that makes it a device."""
    found = [h for h in found if h.state == "held"]  # of the others somebody has decided
    if found:
        print()
    for h in found[:HINTS_SHOWN_MAX]:
        for warning in known.warnings(h):
            print(f"{h.id}: {warning}")
        if (h.address or h.certificate) and not (h.certificate and _owners(h, known)):
            print(f"oathward device adopt {h.id} ID{'' if h.certificate else ' --pin-address'}")
    if len(found) > HINTS_SHOWN_MAX:
        print(f"{len(found) - HINTS_SHOWN_MAX} more; --json says as much of each.")


def _owners(h: HeldView, known: Known) -> list[str]:
    return known.owners(h.address, h.certificate)


def plain_held(h: HeldView, known: Known) -> dict[str, Any]:
    """Give one that is held as plain data, for JSON."""
    return {
        "id": h.id,
        "address": h.address,
        "certificate": h.certificate,
        "application": h.application,
        "facility": h.facility,
        "reason": h.reason,
        "messages": h.messages,
        "state": h.state,
        "belongs_to": _owners(h, known),
        "calls_itself_like": known.namesakes(h.application),
        "first": iso(from_micros(h.first_us)),
        "last": iso(from_micros(h.last_us)),
    }


def print_plan(plan: ImportPlan, *, dry_run: bool) -> None:
    """Say what an import does, or why it does nothing."""
    for e in plan.errors[:ERRORS_SHOWN_MAX]:
        print(f"line {e.line}{f', {e.column}' if e.column else ''}: {e.why}")
    if plan.errors:
        print(f"{len(plan.errors)} error{'s' if len(plan.errors) > 1 else ''}; nothing was imported.")
        return
    counts = f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.unchanged)} unchanged"
    print(f"{'Would be ' if dry_run else ''}{counts}.")


def plain_plan(plan: ImportPlan) -> dict[str, Any]:
    """Give what an import does as plain data, for JSON."""
    errors = [{"line": e.line, "column": e.column, "why": e.why} for e in plan.errors]
    if errors:  # then nothing is done, whatever the other lines say
        return {"added": [], "changed": [], "unchanged": [], "errors": errors}
    return {"added": plan.added, "changed": plan.changed, "unchanged": plan.unchanged, "errors": errors}


def assured_by(device: Device) -> str:
    """Say how a device proves itself."""
    if device.certificates or device.certificate_names:
        return "certificate"
    if device.keys:
        return "signed token request"
    return "address" if device.addresses else "nothing: messages are held"


def plain_of(view: DeviceView) -> dict[str, Any]:
    """Give a device as plain data, for JSON."""
    from oathward.inventory.model import SETS, TEXTS

    device = view.device
    row: dict[str, Any] = {name: getattr(device, name) for name in TEXTS}
    row |= {name: sorted(getattr(device, name)) for name in SETS}
    row |= {"authoritative_adt": device.authoritative_adt, "status": view.status, "version": view.version}
    return row | {"changed": iso(from_micros(view.at_us)), "signed": view.signed}
