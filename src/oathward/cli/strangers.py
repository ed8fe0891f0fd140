"""``oathward device held|adopt|dismiss``: those who spoke and are not known."""

from __future__ import annotations

from typing import Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened, person_of, recorded_as, sign
from oathward.cli.devices import (
    Authority,
    IdentifierType,
    Kind,
    Location,
    Make,
    Model,
    Name,
    Serial,
    Types,
    plain_held,
    print_held,
    print_hints,
)
from oathward.cli.output import DataOption, JsonOption, emit, one_of, settings_of
from oathward.cli.permitted import who_may

STATES = ("held", "adopted", "dismissed")


def held(
    state: Annotated[str, typer.Option(help="held, adopted or dismissed.")] = "held",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, last heard first.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who spoke and is not known, or spoke as another device; their messages lie in quarantine."""
    from oathward.core.db import connect, read
    from oathward.inventory import views

    one_of("--state", state, STATES, "state")
    settings = settings_of(data)
    with read(connect(settings.database_url)) as db:
        found = views.unknown(db, settings.site.name, state=state, limit=limit)
        known = views.Known(db, settings.site.name)

    def human() -> None:
        if not found:
            if state != "held":
                print(f"Nobody was {state}.")
                return
            print("Nobody. Devices come here when they send and the inventory does not know them.")
            return
        print_held(found)
        print_hints(found, known)

    emit({"held": [plain_held(h, known) for h in found]}, as_json=as_json, human=human)


def adopt(  # noqa: PLR0913, PLR0917  one parameter an option
    held_id: Annotated[str, typer.Argument(metavar="HELD", help="From `oathward device held`.")],
    id_: Annotated[str, typer.Argument(metavar="ID", help="Its id from now on.")],
    name: Name = "",
    kind: Kind = "",
    make: Make = "",
    model: Model = "",
    serial: Serial = "",
    location: Location = "",
    types: Types = None,
    authority: Authority = "",
    identifier_type: IdentifierType = "",
    pin_address: Annotated[
        bool, typer.Option("--pin-address", help="It has no certificate: its address identifies it.")
    ] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a held device one of ours; `oathward quarantine release` then sends its messages through."""
    from oathward.core.db import read, write
    from oathward.inventory import actions
    from oathward.inventory.model import ANY, Device

    device = Device(
        id_,
        name,
        kind,
        make,
        model,
        serial=serial,
        location=location,
        message_types=frozenset(types or (ANY,)),
        default_authority=authority,
        default_identifier_type=identifier_type,
    )
    who = person_of(person)
    with opened(data) as site:
        with read(site.engine) as db:
            draft = actions.plan_adoption(db, site.site, held_id, device, pin_address=pin_address)
        documents, by = sign(site, [draft], who), recorded_as(site, who)
        with write(site.engine) as db:
            actions.store(
                db, site.site, documents, kind="device.adopted", by=by, now_us=now_us(site), held=held_id
            )
    again = f"oathward quarantine release --device-held {held_id} --why adopted"
    emit(
        {"device": id_, "held": held_id},
        as_json=as_json,
        human=lambda: print(f"Adopted {id_}. Next: {again}"),
    )


def dismiss(
    held_id: Annotated[str, typer.Argument(metavar="HELD", help="From `oathward device held`.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take somebody off the list of held devices; its messages stay in quarantine."""
    from oathward.core.db import write
    from oathward.inventory import actions

    with opened(data) as site:
        by = who_may(site, person, "device.adopt")
        with write(site.engine) as db:
            actions.dismiss(db, site.site, held_id, by=by, now_us=now_us(site))
    emit({"held": held_id}, as_json=as_json, human=lambda: print("Dismissed."))


def register(app: typer.Typer) -> None:
    """Add these commands to ``oathward device``."""
    for command in (held, adopt, dismiss):
        app.command()(command)
