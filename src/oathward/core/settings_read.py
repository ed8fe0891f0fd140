"""Values of a settings file as sections: every key is known, every value of its type.

Deliberately absent: files, defaults (``core.settings``) and ranges (``core.settings_check``).
"""

from __future__ import annotations

import difflib
import types
import typing
from functools import cache

from oathward.core.errors import SettingsError


def section(kind: type, values: object, where: str) -> typing.Any:
    """Make one section of what a TOML file has under its name.

    Args:
        kind: the section's dataclass. where: names the place in errors.

    Raises:
        SettingsError: it is no table, has an unknown key, or a value of another type.
    """
    if not isinstance(values, dict):
        raise SettingsError(where, "must be a table")
    hints = _hints(kind)
    check_known(values, hints, where)
    for key, value in values.items():
        wanted = hints[key]
        if wanted == _NAMES:
            _names(value, f"{where} {key}")
            continue
        fits = (float, int) if wanted is float else wanted
        if (
            isinstance(fits, types.GenericAlias)
            or not isinstance(value, fits)
            or isinstance(value, bool) is not (wanted is bool)
        ):
            raise SettingsError(f"{where} {key}", f"must be {wanted.__name__}")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, typing.Any]:
    """Read a section's types; from their text it is most of what reading settings takes, once for each kind is enough."""
    return typing.get_type_hints(kind)


_NAMES = dict[str, list[str]]


def _names(value: object, where: str) -> None:
    lists = list(value.values()) if isinstance(value, dict) else [None]
    if not all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists):
        raise SettingsError(where, 'must be a table of lists of names, as in { HOSP = ["1.2.3"] }')


def check_known(values: typing.Iterable[str], known: typing.Iterable[str], where: str) -> None:
    """Refuse a key that nobody declared, and say which was probably meant.

    Raises:
        SettingsError: names the key.
    """
    names = list(known)
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names)}"
            raise SettingsError(f"{where} {key}", f"unknown; {hint}")
