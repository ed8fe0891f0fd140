"""``oathward device key``: public keys by which devices ask for access tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened, person_of, recorded_as, sign
from oathward.cli.devices import DeviceId, keys_of
from oathward.cli.output import DataOption, JsonOption, emit


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(key)


def key(
    id_: DeviceId,
    file: Annotated[str, typer.Argument(help="Its public key: JWK, JWK set or PEM; - for stdin.")],
    keep_old: Annotated[bool, typer.Option("--keep-old", help="The keys it had stay valid.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register the public key that a device signs its requests for access tokens with (RSA, or P-384).

    The private key never leaves the device. The keys it had stop working at once, unless --keep-old.
    """
    from oathward.core.db import read, write
    from oathward.inventory import actions
    from oathward.inventory.keys import parse_key, thumbprint

    who, keys = person_of(person), keys_of(file)
    with opened(data) as site:
        with read(site.engine) as db:
            draft = actions.plan_keys(db, site.site, id_, keys, keep=keep_old)
        documents, who = sign(site, [draft], who), recorded_as(site, person)
        with write(site.engine) as db:
            actions.store(db, site.site, documents, kind="device.changed", by=who, now_us=now_us(site))
    names = sorted(thumbprint(parse_key(text)) for text in keys)
    emit(
        {"device": id_, "keys": names},
        as_json=as_json,
        human=lambda: print(f"{id_} may ask for access tokens with {', '.join(n[:16] for n in names)}."),
    )
