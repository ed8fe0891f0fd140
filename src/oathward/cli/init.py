"""``oathward init``: make a data folder that can be served."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.core.errors import InputError, SettingsError
from oathward.core.settings import Settings

APP = typer.Typer(help="Create a data folder with its keys and trust anchor.", add_completion=False)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_HEADER = re.compile(r"^[ \t]*\[[ \t]*site[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)


@APP.command()
def init(
    data: DataOption = None,
    site: Annotated[
        str | None,
        typer.Option(
            "--site",
            metavar="NAME",
            help="The site's name, for good; written into oathward.toml. Else the one there, else `demo`.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create folders, keys, trust anchor and database; running it again changes nothing."""
    from oathward.app import create
    from oathward.vault.sign import write_file

    settings = settings_of(data, new=True)
    file = settings.data / "oathward.toml"
    text = None if site is None else _named(file, site)
    if site is not None:
        settings = replace(settings, site=replace(settings.site, name=site))
    try:
        settings.data.parent.mkdir(parents=True, exist_ok=True)
        created = create(settings)
    except OSError as error:
        place = error.filename or settings.data
        why = f"cannot be made: {place}: {error.strerror}; choose a folder you may write to with --data"
        raise InputError(str(settings.data), why) from error
    if text is not None:
        write_file(file, text.encode(), 0o644)
    name = settings.site.name

    def human() -> None:
        state = "created" if created else "was there already"
        print(f"Data folder {settings.data} {state}; it is site `{name}`, and stays so.")
        if text is not None:
            print(f"The name was written into {file}.")
        elif created and site is None:
            print(
                "A site's name cannot change later; `oathward init --site NAME` gives another folder its own."
            )
        if created:
            print("\n".join(["Next, in this order:", *(f"  {line}" for line in _next(settings, data))]))
            print(
                f"Only to see what is on the network: oathward observe PATH{_named_data(settings, data)}, then oathward inventory list{_named_data(settings, data)}"
            )
            print(
                "Until it has people, a name typed at this machine is enough for everything. Give it people once:"
            )
            print(f"  oathward people found PEOPLE.csv{_named_data(settings, data)}")
            print(
                "PEOPLE.csv has the columns number,name,mail,roles; `oathward people found --help` says more."
            )

    emit({"data": str(settings.data), "created": created, "site": name}, as_json=as_json, human=human)


def _next(settings: Settings, data: str | None) -> list[str]:
    """List the commands from here to a site that serves, as they can be typed; KEY, HOST and PORT are the recipients'."""
    named = _named_data(settings, data)
    addresses = (
        "--address ehr=mllps://HOST:PORT --address home-care=https://HOST:PORT/BASE "
        "--address vendor-cloud=mllps://HOST:PORT --address research-registry=file:FOLDER"
    )
    return [
        f"oathward policy init POLICY --key research-registry=KEY {addresses}",
        "oathward policy check POLICY",
        f"oathward policy activate POLICY{named}",
        f"oathward device add PUMP-01 --kind pump --sender PUMP-01 --with-certificate{named}",
        f"oathward serve{named}",
        f"oathward console{named}",
    ]


def _named_data(settings: Settings, data: str | None) -> str:
    return f" --data {shlex.quote(str(settings.data))}" if data else ""


def _named(file: Path, name: str) -> str | None:
    """Give the settings file's text with the name in it; nothing when it is there already.

    Raises:
        InputError: not a name.
        SettingsError: the file names another site.
    """
    import tomllib

    if not _NAME.fullmatch(name):
        raise InputError("--site", "letters, digits, `.`, `_` and `-`; at most 63, a letter or digit first")
    text = file.read_text() if file.exists() else ""
    table = tomllib.loads(text)
    known = table.get("site", {}).get("name")
    if known == name:
        return None
    if known is not None:
        raise SettingsError(
            f"{file.name} [site] name",
            f"is `{known}`; leave --site out, or change it there if there was no init yet",
        )
    line = f'name = "{name}"'
    if "site" not in table:
        return f"{text.rstrip()}\n\n[site]\n{line}\n".lstrip()
    if not _HEADER.search(text):
        raise SettingsError(f"{file.name} [site]", f"write {line} there yourself")
    return _HEADER.sub(lambda found: f"{found[0]}\n{line}", text, count=1)
