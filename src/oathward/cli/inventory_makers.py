"""``oathward inventory makers``: IEEE's registry of card prefixes, brought as a file."""

from __future__ import annotations

import hashlib
from typing import Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit, shown
from oathward.cli.permitted import who_may

APP = typer.Typer(
    help="Makers by the prefix of a card's number: a hint, never more.",
    add_completion=False,
    no_args_is_help=True,
)


@APP.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="IEEE's oui.csv or oui.txt; - is stdin.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a registry in place of the one before; devices of unknown maker get its hint."""
    from oathward.endpoints import apart, registry

    content = read_bytes(file, apart.BYTES_MAX)
    found = apart.registry_of(content, shown(file))
    with opened(data) as site:
        by = who_may(site, person, "inventory.change")
        digest = hashlib.sha256(content).hexdigest()
        hinted = registry.put(site.engine, site.site, found, digest, now_us(site), by)
    value = {"prefixes": len(found), "sha256": digest, "hinted": hinted}

    def human() -> None:
        print(f"{len(found):,} prefixes; {hinted:,} devices of unknown maker have a hint now.")

    emit(value, as_json=as_json, human=human)


@APP.callback()
def _makers() -> None:
    """Keep ``import`` a word of its own."""
