"""``oathward inventory``: what stands on the network and off it: lists taken in and compared, everything written out."""

from __future__ import annotations

import typer

from oathward.cli.inventory_export import export
from oathward.cli.inventory_import import import_, reconcile

APP = typer.Typer(
    help="The living inventory: take in lists, compare them, write everything out.",
    add_completion=False,
    no_args_is_help=True,
)

APP.command("import")(import_)
APP.command()(reconcile)
APP.command()(export)
