"""Holidays without a day's figure: ``Christmas Eve``, ``Labor Day``, ``Semana Santa``. Whoever has a calendar knows the day.

Rules:
- Of what is a name or a thing as well (``Memorial``, ``Reyes``, ``San Juan``) only the holiday's whole name counts.
- What a holiday gave its name to is none: ``Christmas disease``, ``Christmas tree pattern``.

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.core.words import plain
from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Recogniser, Word
from oathward.deid.text.tokens import Tokens

_NAMES = """
christmas; xmas; easter; thanksgiving; halloween; hanukkah; chanukah; passover; pesach; purim; ramadan; diwali; juneteenth; kwanzaa;
pentecost; whitsun; epiphany; new year; new years; good friday; maundy thursday; palm sunday; ash wednesday; holy week; black friday;
mardi gras; labor day; labour day; memorial day; veterans day; independence day; columbus day; presidents day; boxing day; valentine day;
valentines day; mother day; mothers day; father day; fathers day; patrick day; patricks day; martin luther king day; mlk day; canada day;
australia day; anzac day; groundhog day; remembrance day; may day; bonfire night; guy fawkes night; cinco de mayo; yom kippur;
rosh hashanah; eid al fitr; eid al adha; chinese new year; lunar new year;
navidad; navidades; nochebuena; nochevieja; semana santa; pascua; pascuas; viernes santo; jueves santo; sabado santo; lunes de pascua;
domingo de ramos; domingo de resurreccion; domingo de pascua; miercoles de ceniza; pentecostes; corpus christi; carnaval; carnavales;
cuaresma; ano nuevo; ano viejo; fin de ano; todos los santos; dia de reyes; dia de los reyes; noche de reyes; dia de muertos;
dia de los muertos; dia de difuntos; dia de los santos inocentes; dia de la madre; dia del padre; dia de la hispanidad; dia del pilar;
dia del trabajo; noche de san juan; dia de san juan
"""
_PHRASES: dict[str, list[tuple[str, ...]]] = {}
for _name in _NAMES.split(";"):
    _first, *_rest = _name.split()
    _PHRASES.setdefault(_first, []).append(tuple(_rest))
_FIRST = frozenset(_PHRASES) | {"año", "día", "sábado", "miércoles"}
"""Words that names begin with, as texts write them."""

_POSSESSIVE_ONLY = frozenset((("mother", "day"), ("father", "day")))
_GAPS = frozenset((" ", "'s ", "\u2019s ", "' ", "\u2019 ", "-", ", "))
_PARTS = said("day eve sunday monday week")
_THINGS = said("disease factor tree trees seal seals lily lilies cactus rose roses island deficiency pattern")

ALONE, SURE = 0.8, 0.95
"""A word may be somebody's name (``Easter``); a whole name is the holiday's, though a part of it be one (``Eve``)."""


def _find(words: Tokens) -> Iterator[Word]:
    if _FIRST.isdisjoint(words.lowers):
        return
    for i, low in enumerate(words.lowers):
        after = _after(words, i) if low in _FIRST else i
        if after == i:
            continue
        if after < len(words) and words.gap(after - 1) in _GAPS:
            if words.lowers[after] in _THINGS:
                continue
            after += words.lowers[after] in _PARTS
        yield Word(words.starts[i], words.ends[after - 1], "date", SURE if after > i + 1 else ALONE)


def _after(words: Tokens, i: int) -> int:
    """One past the longest name that begins with word ``i``; ``i`` where none does."""
    found = i
    for rest in _PHRASES.get(plain(words.lowers[i]), ()):
        after = i + 1 + len(rest)
        if (
            after > found
            and tuple(map(plain, words.lowers[i + 1 : after])) == rest
            and all(words.gap(k) in _GAPS for k in range(i, after - 1))
            and not ((words.lowers[i], *rest) in _POSSESSIVE_ONLY and words.gap(i) == " ")
        ):
            found = after
    return found


RECOGNISER = Recogniser(categories={"date": "patient.time"}, words=_find)
