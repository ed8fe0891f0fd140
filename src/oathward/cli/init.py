"""``oathward init``: make a data folder that can be served."""

from __future__ import annotations

import typer

from oathward.cli.output import DataOption, JsonOption, emit, settings_of

APP = typer.Typer(help="Create a data folder with its keys and trust anchor.", add_completion=False)


@APP.command()
def init(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Create folders, keys, trust anchor and database; running it again changes nothing."""
    from oathward.app import create

    settings = settings_of(data, new=True)
    created = create(settings)

    def human() -> None:
        state = "created" if created else "was there already"
        print(f"Data folder {settings.data} {state}.")
        if created:
            print(
                "Next: oathward policy init, oathward policy activate, oathward device add, oathward serve."
            )

    emit({"data": str(settings.data), "created": created}, as_json=as_json, human=human)
