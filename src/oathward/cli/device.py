"""``oathward device``: the inventory of devices: add, import, adopt, certificates, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oathward.cli import device_keys, device_wrong_patient, strangers
from oathward.cli.asking import (
    PersonOption,
    now_us,
    opened,
    person_of,
    read_bytes,
    recorded_as,
    sign,
    sign_and_store,
)
from oathward.cli.devices import (
    Addresses,
    Adt,
    Authority,
    Certificates,
    ClientKeys,
    DeviceId,
    Equipment,
    IdentifierType,
    Kind,
    Location,
    Make,
    Model,
    Name,
    Owner,
    Senders,
    Serial,
    Tags,
    Types,
    Udi,
    Vouches,
    WhyOption,
    certify,
    fingerprint_of,
    folder_for,
    issue,
    keys_of,
    plain_of,
    plain_plan,
    print_devices,
    print_plan,
    reason_of,
    set_status,
)
from oathward.cli.output import DataOption, JsonOption, emit, one_of
from oathward.cli.remote import ServerOption, server_of
from oathward.cli.remote import show as show_rows
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

APP = typer.Typer(
    help="Devices: add, import, adopt, revoke, certificates.", add_completion=False, no_args_is_help=True
)


@APP.command()
def add(  # noqa: PLR0913, PLR0917  one parameter an option
    id_: Annotated[str, typer.Argument(metavar="ID", help="Letters, digits, dot, dash, underscore.")],
    name: Name = "",
    kind: Kind = "",
    make: Make = "",
    model: Model = "",
    serial: Serial = "",
    udi: Udi = "",
    location: Location = "",
    owner: Owner = "",
    senders: Senders = None,
    addresses: Addresses = None,
    certificates: Certificates = None,
    client_keys: ClientKeys = None,
    equipment: Equipment = None,
    tags: Tags = None,
    types: Types = None,
    vouches: Vouches = None,
    authority: Authority = "",
    identifier_type: IdentifierType = "",
    adt: Adt = False,
    with_certificate: Annotated[
        bool,
        typer.Option("--with-certificate", help="Issue its certificate at once; it identifies the device."),
    ] = False,
    out: Annotated[
        str, typer.Option(help="Folder for key and certificate; `certificates` in the data folder.")
    ] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add one device. It needs something that identifies it.

    --with-certificate issues a certificate at once; else --address, --certificate, --client-key or --sender.
    """
    import dataclasses

    from oathward.core.db import read, write
    from oathward.inventory import actions
    from oathward.inventory.model import ANY, Device

    device = Device(
        id_,
        name,
        kind,
        make,
        model,
        udi,
        serial,
        location,
        owner,
        certificates=frozenset(fingerprint_of(c) for c in certificates or ()),
        keys=frozenset(key for file in client_keys or () for key in keys_of(file)),
        senders=frozenset(senders or ()),
        addresses=frozenset(addresses or ()),
        equipment=frozenset(equipment or ()),
        tags=frozenset(tags or ()),
        message_types=frozenset(types or (ANY,)),
        vouches_for=frozenset(vouches or ()),
        default_authority=authority,
        default_identifier_type=identifier_type,
        authoritative_adt=adt,
    )
    who = person_of(person)
    if out and not with_certificate:
        raise InputError("--out", "goes with --with-certificate")
    with opened(data) as site:
        made, folder = None, None
        if with_certificate:
            with read(site.engine) as db:  # before a certificate is made for nothing
                actions.plan(db, site.site, [dataclasses.replace(device, certificate_names=frozenset({id_}))])
            folder = folder_for(site, out, [id_])
            made = certify(site, id_, who)
            device = dataclasses.replace(device, certificates=device.certificates | {made.fingerprint.hex()})
        with read(site.engine) as db:
            drafts = actions.plan(db, site.site, [device])
        documents, who = sign(site, drafts, who), recorded_as(site, person)
        files = made.write(id_, folder) if made and folder else {}
        with write(site.engine) as db:
            actions.store(db, site.site, documents, kind="device.added", by=who, now_us=now_us(site))

    def human() -> None:
        known = device.certificates or device.keys
        print(f"Added {id_}." if known else f"Added {id_}. Next: oathward device cert {id_}")
        if files:
            print(f"{files['certificate']} and {files['key']}; give the key to the device alone")

    emit({"device": id_, **files}, as_json=as_json, human=human)


@APP.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="CSV file, or - for stdin.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, say what would happen, change nothing.")
    ] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add and change devices from a CSV file; columns are found by their names. One error, and nothing is done.

    Columns: id, name, kind, make, model, udi, serial, location, owner, status, certificates, certificate_names, keys, senders,
    addresses, equipment, tags, message_types, vouches_for, default_authority, default_identifier_type,
    authoritative_adt. All may be missing but id and something that identifies it. Several values in one cell are parted by `;`.
    """
    from oathward.core.db import read
    from oathward.inventory import actions, sheet

    found = sheet.parse_apart(read_bytes(file, sheet.BYTES_MAX))
    who = person_of(person)
    with opened(data) as site:
        with read(site.engine) as db:
            plan = actions.plan_import(db, site.site, found)
        if not dry_run:
            who = recorded_as(site, person)
            new = set(plan.added)
            for kind, drafts in (
                ("device.added", [d for d in plan.documents if d.id in new]),
                ("device.changed", [d for d in plan.documents if d.id not in new]),
            ):
                sign_and_store(
                    site,
                    drafts,
                    who,
                    lambda db, signed, kind=kind: actions.store(  # type: ignore[misc]  # a bound loop variable
                        db, site.site, signed, kind=kind, by=who, now_us=now_us(site)
                    ),
                    "devices",
                )

    value = plain_plan(plan) | {"dry_run": dry_run}
    emit(value, as_json=as_json, human=lambda: print_plan(plan, dry_run=dry_run))
    if plan.errors:
        raise typer.Exit(65)


@APP.command("list")
def list_(
    kind: Annotated[str, typer.Option(help="Only this kind.")] = "",
    status: Annotated[str, typer.Option(help="Only active, held, revoked or retired.")] = "",
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List devices: how each proves itself, what it may be, whether its entry verifies."""
    from oathward.core.db import read
    from oathward.inventory import views
    from oathward.inventory.model import Status

    if status:
        one_of("--status", status, Status, "status")
    if url := server_of(server):
        columns, query = ("id", "kind", "make", "model", "location", "status"), {"status": status}
        show_rows(
            url, "/api/v1/devices", "devices", columns, as_json=as_json, query=query, only={"kind": kind}
        )
        return
    with opened(data) as site, read(site.engine) as db:
        found = views.devices(db, site.site, site.authority, site.seen)
    found = [v for v in found if kind in {"", v.device.kind} and status in {"", v.status}]

    def human() -> None:
        if not found:
            print(
                "No such devices."
                if kind or status
                else "No devices. `oathward device add` or `oathward device import` brings them."
            )
            return
        print_devices(found)

    emit({"devices": [plain_of(v) for v in found]}, as_json=as_json, human=human)


@APP.command()
def show(id_: DeviceId, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one device."""
    from oathward.core.db import read
    from oathward.inventory import views

    with opened(data) as site, read(site.engine) as db:
        found = views.one(db, site.site, id_, site.authority, site.seen)
    if found is None:
        raise InputError(id_, "no such device", reason=Reason.NOT_FOUND)
    value = plain_of(found)

    def human() -> None:
        for name, one in value.items():
            text = ", ".join(one) if isinstance(one, list) else str(one)
            if text:
                print(f"{name:>24}  {text}")

    emit(value, as_json=as_json, human=human)


@APP.command()
def revoke(
    id_: DeviceId,
    reason: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cut a device off: within a second for new messages, open connections included."""
    from oathward.core.db import write
    from oathward.inventory import actions
    from oathward.inventory.model import Status

    who, why = person_of(person), reason_of(reason)
    with opened(data) as site:
        with write(site.engine) as db:  # at once, whatever the keeper says
            actions.revoke(db, site.site, id_, by=who, reason=why, now_us=now_us(site))
        set_status(site, id_, Status.REVOKED, "device.changed", who, why)
    emit({"device": id_, "status": "revoked"}, as_json=as_json, human=lambda: print(f"Revoked {id_}."))


@APP.command()
def retire(
    id_: DeviceId,
    reason: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a device is no longer there."""
    from oathward.inventory.model import Status

    with opened(data) as site:
        set_status(site, id_, Status.RETIRED, "device.retired", person_of(person), reason_of(reason))
    emit({"device": id_, "status": "retired"}, as_json=as_json, human=lambda: print(f"Retired {id_}."))


@APP.command()
def reinstate(
    id_: DeviceId,
    reason: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a revoked, retired or held device send again, with the certificates it has."""
    from oathward.inventory.model import Status

    with opened(data) as site:
        set_status(site, id_, Status.ACTIVE, "device.changed", person_of(person), reason_of(reason))
    emit({"device": id_, "status": "active"}, as_json=as_json, human=lambda: print(f"{id_} may send again."))


@APP.command()
def cert(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Device ids.")],
    out: Annotated[
        str, typer.Option(help="Folder for key and certificate; `certificates` in the data folder.")
    ] = "",
    keep_old: Annotated[bool, typer.Option("--keep-old", help="The certificates it had stay valid.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a certificate from the built-in CA: ID.key (mode 0600) and ID.pem, and device-ca.pem to trust.

    The certificate a device had stops working at once, unless --keep-old. A key file is never overwritten.
    """
    who = person_of(person)
    with opened(data) as site:
        folder = folder_for(site, out, ids)
        files = [issue(site, id_, folder, who, keep_old=keep_old) for id_ in ids]

    def human() -> None:
        for one in files:
            print(f"{one['device']}: {one['certificate']} and {one['key']}; give the key to the device alone")
            if one["replaced"]:
                print(
                    f"{one['device']}: the certificate it had stops working now; --keep-old would have kept it"
                )

    emit({"certificates": files}, as_json=as_json, human=human)


@APP.command()
def export(
    out: Annotated[str, typer.Option(help="File; - is stdout.")] = "-",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the inventory as CSV that `import` reads back and no spreadsheet runs."""
    from oathward.core.db import read
    from oathward.inventory import sheet, views

    with opened(data) as site, read(site.engine) as db:
        found = views.devices(db, site.site, site.authority, site.seen)
    text = sheet.write(v.device for v in found if v.signed == "yes")
    if out != "-":
        Path(out).write_text(text, encoding="utf-8", newline="")
    elif not as_json:
        print(text, end="")
        return
    value = {"devices": len(found), "file": out} if out != "-" else {"devices": len(found), "csv": text}
    emit(value, as_json=as_json, human=lambda: print(f"{len(found)} devices in {out}."))


device_keys.register(APP)
strangers.register(APP)
device_wrong_patient.register(APP)
