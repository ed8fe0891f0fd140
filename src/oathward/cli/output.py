"""How every command takes its common options and says its result.

Rules:
- With ``--json`` stdout holds one JSON document and nothing else; progress and errors go to stderr.
- Without it, people get words and tables.
- A command returns normally for success; it raises ``OathwardError`` or ``typer.Exit(code)`` otherwise.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from oathward.core import site_name
from oathward.core.clock import iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 200
"""Columns of a table that nobody watches."""

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Data folder; else OATHWARD_DATA, else ./oathward-data.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
]


def plain_text(param: typer.CallbackParam, value: str | None) -> str | None:
    """Pass what somebody typed where it is text: it is kept, hashed and written as UTF-8.

    Raises:
        InputError: it is none; names the option.
    """
    if value is not None and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(param.opts[0], "is no text in UTF-8", reason=Reason.INPUT_INVALID) from error
    return value


def shown(path: str) -> str:
    """Write a path as text; bytes of it that are none are written as hexadecimal escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def settings_of(data: str | None, *, new: bool = False) -> Settings:
    """Load the settings of the data folder a command was given.

    Args:
        new: the folder need not be there yet.

    Raises:
        SettingsError: the settings file has an error, or names another site than the folder's.
        InputError: there is no site in the folder; says how to make or name one.
    """
    settings = load(data)
    there = any((settings.data / "trust").glob("*.pub")) or (settings.data / "oathward.db").exists()
    if not new and not there:
        why = "is no data folder of Oathward; name yours with --data or OATHWARD_DATA, or make one: oathward init"
        raise InputError(str(settings.data), why, reason=Reason.NOT_FOUND)
    if not new:
        site_name.check(settings)
    return settings


def one_of(option: str, text: str, known: Iterable[str], what: str) -> None:
    """Refuse a word that nothing can bear: a list of nothing would say that all is well.

    Raises:
        InputError: says what was probably meant, or what there is.
    """
    from oathward.policy.reading import near

    names = list(known)
    if text not in names:
        raise InputError(option, f"there is no such {what}; {near(text, names)}")


def emit(value: object, *, as_json: bool, human: Callable[[], None]) -> None:
    """Print a result: as JSON, or by the command's own words.

    Args:
        value: dataclasses, dicts, lists, datetimes, enums, bytes (as hex) and plain values.
        as_json: the command's ``--json``.
        human: prints for people.
    """
    if as_json:
        sys.stdout.buffer.write(
            orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )
        sys.stdout.buffer.flush()
    else:
        human()


def document(told: object) -> Any:
    """Give what is told here as a server would have answered it: plain JSON."""
    return orjson.loads(orjson.dumps(told))


def say(text: str) -> None:
    """Print a line in which nothing that was told moves the cursor."""
    print("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def counted(count: int, one: str, many: str = "") -> str:
    """Count things: ``1 flow``, ``2 flows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def minute(text: str) -> str:
    """Write a time of a document to the minute, without its zone: UTC."""
    return text[:16].replace("T", " ")


def console() -> Console:
    """A console for tables: as wide as the terminal; wide enough for whole ids where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    raise TypeError(type(value).__name__)
