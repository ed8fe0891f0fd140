"""``oathward inventory``: what stands on the network and off it: listed, shown, said by a person; lists taken in, compared, written out; probed once, by order."""

from __future__ import annotations

import typer

from oathward.cli.inventory_export import export
from oathward.cli.inventory_import import import_, reconcile
from oathward.cli.inventory_makers import APP as MAKERS
from oathward.cli.inventory_probe import probe
from oathward.cli.inventory_say import merge, say, split, undo
from oathward.cli.inventory_show import list_, show

APP = typer.Typer(
    help="Every endpoint seen or declared: list, show, say what it is, merge, split, undo, probe once, import, export.",
    add_completion=False,
    no_args_is_help=True,
)

APP.command("list")(list_)
APP.command()(show)
APP.command("say")(say)
APP.command()(merge)
APP.command()(split)
APP.command()(undo)
APP.command("import")(import_)
APP.command()(reconcile)
APP.command()(probe)
APP.command()(export)
APP.add_typer(MAKERS, name="makers")
