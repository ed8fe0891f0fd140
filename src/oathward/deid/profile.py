"""Profiles: TOML files that say what may happen to each class of elements.

Rules:
- A file lists what stays, by class or by pattern (``patient.*``); a class named in full wins over patterns.
- A class that no line names is removed.
- Unknown keys, classes, actions and parameters are refused, with the file, the key and what to write instead.

Deliberately absent: inheritance between profiles. A profile is read whole, on one page.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, cast, get_args

from oathward.core.errors import PolicyError
from oathward.core.labels import expand
from oathward.deid.action import Parameters, actions
from oathward.deid.dicom_options import parse_dicom

Uncatalogued = Literal["remove", "pass", "hold"]

_KEYS = ("name", "uncatalogued", "actions", "parameters", "dicom")


@dataclass(frozen=True, slots=True)
class Profile:
    """What may happen to each class.

    ``actions``: class -> name of an action; a class that is absent is removed.
    ``parameters``: action -> its parameters. ``uncatalogued``: what happens to what nobody catalogued.
    ``dicom``: codes of the options of PS3.15 Annex E that hold for DICOM files.
    """

    name: str
    actions: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = ()
    uncatalogued: Uncatalogued = "remove"
    dicom: tuple[int, ...] = ()

    def action_of(self, cls: str) -> str:
        """Give the action for a class."""
        return dict(self.actions).get(cls, "remove")

    def parameters_of(self, action: str) -> Parameters:
        """Give the parameters of an action."""
        return dict(dict(self.parameters).get(action, ()))


def parse(name: str, text: str) -> Profile:
    """Read one profile.

    Args:
        name: of the file, without ``.toml``; the profile must call itself the same.
        text: TOML.

    Raises:
        PolicyError: not TOML, or a key, class, action or parameter that does not exist.
    """
    where = f"profiles/{name}.toml"
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(where, str(error)) from error
    _known(table, _KEYS, where)
    if table.get("name") != name:
        raise PolicyError(f"{where} name", f'write name = "{name}"')
    uncatalogued = table.get("uncatalogued", "remove")
    if uncatalogued not in get_args(Uncatalogued):
        raise PolicyError(f"{where} uncatalogued", f"write one of {', '.join(get_args(Uncatalogued))}")
    return Profile(
        name,
        _actions(_table(table, "actions", where), where),
        _parameters(_table(table, "parameters", where), where),
        cast("Uncatalogued", uncatalogued),
        parse_dicom(table.get("dicom"), where),
    )


@cache
def builtin_profiles() -> Mapping[str, Profile]:
    """Give the profiles that come with Oathward: name -> profile."""
    return MappingProxyType({name: parse(name, text) for name, text in builtin_texts().items()})


@cache
def builtin_texts() -> Mapping[str, str]:
    """Give the text of the profiles that come with Oathward."""
    folder = files("oathward.deid") / "profiles"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return MappingProxyType({f.name.removesuffix(".toml"): f.read_text("utf-8") for f in found})


def load_profiles(texts: Mapping[str, str]) -> Mapping[str, Profile]:
    """Give the built-in profiles and a site's own.

    Args:
        texts: name -> TOML text.

    Raises:
        PolicyError: one of them cannot be used, or has the name of a built-in one.
    """
    for name in texts:
        if name in builtin_texts():
            raise PolicyError(f"profiles/{name}.toml name", "this name is taken by a built-in profile")
    return {**builtin_profiles(), **{name: parse(name, text) for name, text in texts.items()}}


def _table(table: Mapping[str, object], key: str, where: str) -> Mapping[str, object]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise PolicyError(f"{where} {key}", f"write a table [{key}]")
    return found


def _actions(table: Mapping[str, object], where: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    # Patterns first, so that a class named in full wins; among patterns the longer one.
    for pattern, action in sorted(table.items(), key=lambda item: ("*" not in item[0], len(item[0]))):
        place = f'{where} actions."{pattern}"'
        _known((str(action),), actions(), place)
        try:
            classes = expand((pattern,))
        except KeyError as error:
            near = difflib.get_close_matches(pattern, sorted(expand(("*",))), n=1)
            hint = f"did you mean `{near[0]}`?" if near else "see core/labels.py for the classes"
            raise PolicyError(place, f"no such class; {hint}") from error
        found |= dict.fromkeys(classes, str(action))
    return tuple(sorted(found.items()))


def _parameters(
    table: Mapping[str, object], where: str
) -> tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
    _known(table, actions(), f"{where} parameters")
    found = []
    for action in sorted(table):
        place = f"{where} parameters.{action}"
        given = _table(table, action, f"{where} parameters")
        _known(given, actions()[action].parameters, place)
        listed = []
        for key, value in sorted(given.items()):
            if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                raise PolicyError(f"{place}.{key}", "write a list of texts")
            listed.append((key, tuple(value)))
        wrong = actions()[action].wrong
        for key, instead in (wrong(dict(listed)) if wrong else {}).items():
            raise PolicyError(f"{place}.{key}", instead)
        found.append((action, tuple(listed)))
    return tuple(found)


def _known(given: Iterable[str], known: Iterable[str], where: str) -> None:
    names = sorted(known)
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names) or 'none'}"
            raise PolicyError(f"{where} {key}", f"unknown; {hint}")
