"""What the portal says: one file a language under ``texts/``, an id a sentence, with named parameters.

Rules:
- A section is a page (or ``frame``, which is around all); an id is ``section.name``: ``home.title``.
- A parameter is a name in braces: ``{count}``. A sentence that counts has forms: ``one`` and ``other``, chosen by
  its parameter ``count``, which each form may show or not.
- All languages have the same ids, the same parameters and the same kind of sentence; a file that does not is refused
  when it is read, before a page is served. An id that a template or page names and no file has is an error then too.
- Text is plain text: what shows it escapes it.

Deliberately absent: a language chosen at run time that was not shipped, text in code, markup in text.

Source: Unicode CLDR plural rules (English ``one`` is 1; Spanish ``one`` is 1; its ``many`` begins at a million and is
not told apart here).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from oathward.core.errors import SettingsError

FOLDER = Path(__file__).resolve().parent / "texts"
FORMS = frozenset({"one", "other"})
FIRST = "en"
"""The language where a browser names none of ours."""

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_BRACES = re.compile(r"[{}]")
_ACCEPTED_MAX = 20
"""So many languages of a browser are looked at."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence in one language.

    Args:
        forms: ``other`` alone, or ``one`` and ``other``.
    """

    forms: Mapping[str, str]

    @property
    def counts(self) -> bool:
        """Whether it has a form for one."""
        return len(self.forms) > 1

    @property
    def parameters(self) -> frozenset[str]:
        """The names it has to be given; one that counts is always given ``count``."""
        named = {name for form in self.forms.values() for name in _PARAMETER.findall(form)}
        return frozenset(named | ({"count"} if self.counts else set()))


@dataclass(frozen=True, slots=True)
class Texts:
    """All sentences of one language.

    Args:
        code: BCP 47: ``en``.
    """

    code: str
    sentences: Mapping[str, Sentence]

    def say(self, name: str, /, **given: object) -> str:
        """Give a sentence with its parameters.

        Raises:
            KeyError: no such id. ValueError: not the parameters it has.
        """
        sentence = self.sentences[name]
        if given.keys() != sentence.parameters:
            raise ValueError(f"{name} takes {', '.join(sorted(sentence.parameters)) or 'nothing'}")
        form = "one" if sentence.counts and given["count"] == 1 else "other"
        return _PARAMETER.sub(lambda found: str(given[found[1]]), sentence.forms[form])

    def number(self, written: str) -> str:
        """Write a number with this language's mark between whole and part."""
        return written.replace(".", self.say("time.point"))

    def day(self, at: datetime) -> str:
        """Write a day as people of this language do."""
        month = self.say("time.months").split()[at.month - 1]
        return self.say("time.day", day=at.day, month=month, year=at.year)

    def moment(self, at: datetime) -> str:
        """Write a day and a time; the zone is the one the moment is given in."""
        return self.say("time.moment", day=self.day(at), time=self.time(at))

    def time(self, at: datetime) -> str:
        """Write a time of day, with the zone it is told in."""
        return f"{at:%H:%M %Z}"


def load(folder: Path = FOLDER) -> Mapping[str, Texts]:
    """Read every language, by its code.

    Raises:
        SettingsError: a file that is no such file, or languages that differ in ids, parameters or kinds of sentence.
    """
    found = {path.stem: Texts(path.stem, _sentences(path)) for path in sorted(folder.glob("*.toml"))}
    if FIRST not in found:
        raise SettingsError(f"{FIRST}.toml", "is missing: the language of those who name none of ours")
    for texts in found.values():
        _compare(found[FIRST], texts)
    return MappingProxyType(found)


def check_named(texts: Texts, named: Iterable[str]) -> None:
    """See that there is a sentence for every id that something shows.

    Raises:
        SettingsError: there is none; names the id.
    """
    for name in sorted(set(named)):
        if name not in texts.sentences:
            raise SettingsError(f"{texts.code}.toml {name}", "is shown and not written")


def accepted(header: str, codes: Iterable[str]) -> str:
    """Choose a language by ``Accept-Language``: the best liked of ours, else the first.

    Source: RFC 9110 §12.5.4; RFC 4647 §3.4 (``es-MX`` finds ``es``).
    """
    known = set(codes)
    best, liked = FIRST, 0.0
    for one in header.split(",")[:_ACCEPTED_MAX]:
        tag, _, weight = one.strip().partition(";")
        code = tag.strip().lower().partition("-")[0]
        quality = _quality(weight)
        if code in known and quality > liked:
            best, liked = code, quality
    return best


def _quality(weight: str) -> float:
    """Read ``q=0.8``; 1 where there is none, 0 where it is none."""
    if not weight.strip():
        return 1.0
    found = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight)
    return min(1.0, float(found[1])) if found else 0.0


def _sentences(path: Path) -> Mapping[str, Sentence]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(path.name, "cannot be read as TOML") from error
    found: dict[str, Sentence] = {}
    for section, entries in table.items():
        if not isinstance(entries, dict):
            raise SettingsError(f"{path.name} {section}", "must be a section: [home]")
        for name, value in entries.items():
            found[f"{section}.{name}"] = _sentence(f"{path.name} {section}.{name}", value)
    return MappingProxyType(found)


def _sentence(where: str, value: object) -> Sentence:
    forms = {"other": value} if isinstance(value, str) else value
    if not isinstance(forms, dict) or not all(
        isinstance(form, str) and form.strip() for form in forms.values()
    ):
        raise SettingsError(where, "must be a sentence, or one with the forms `one` and `other`")
    if (len(forms) > 1 and forms.keys() != FORMS) or "other" not in forms:
        raise SettingsError(where, "has the forms `one` and `other`, and no others")
    if any(_BRACES.search(_PARAMETER.sub("", form)) for form in forms.values()):
        raise SettingsError(where, "has a brace that is no parameter")
    return Sentence(MappingProxyType(forms))


def _compare(first: Texts, other: Texts) -> None:
    """See that two languages say the same things.

    Raises:
        SettingsError: names the first id that one lacks, or whose parameters or forms differ.
    """
    lacking = sorted(first.sentences.keys() ^ other.sentences.keys())
    if lacking:
        name = lacking[0]
        file = other.code if name in first.sentences else first.code
        raise SettingsError(f"{file}.toml {name}", "is missing; all languages say the same things")
    for name, sentence in first.sentences.items():
        theirs = other.sentences[name]
        if (sentence.parameters, sentence.counts) != (theirs.parameters, theirs.counts):
            raise SettingsError(
                f"{other.code}.toml {name}", f"has not the parameters or forms of {first.code}.toml"
            )
