"""Ages of Spanish texts: the figure alone, so that a profile may let pass those it may.

Rules:
- ``92 años`` is an age after ``paciente de``, ``a los`` and the like or before ``de edad``; ``hace 20 años`` is none.
- An age in words is told only from ninety on: smaller ones name nobody, and no profile could read them.
- ``anciana de 93`` and ``93 a`` are ages where nothing behind them measures (``ages``).

Source: 45 CFR 164.514(b)(2)(i)(C): ages over 89.
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.ages import Around, ages
from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Pattern, Recogniser, Word
from oathward.deid.text.tokens import Tokens

_WHO = (
    r"(?:paciente|var[óo]n|mujer|hombre|ni[ñn][oa]|se[ñn]ora?|anciano|anciana|adolescente|joven|lactante|var[óo]n[ ]joven|masculin[oa]|femenin[oa]|sexo[ ](?:masculino|femenino)|raza[ ][a-z]{3,12}|edad|"
    r"jubilad[oa]|padre|madre|herman[oa]|hij[oa]|abuel[oa]|espos[oa]|marido)"
)
_WORDS = r"(?:noventa(?:[ ]y[ ](?:un[oa]?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?|cien|ciento(?:[ ](?:un[oa]?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce))?)"

_AROUND = Around(
    years=said("a anos ano cumpleanos"),
    sexes=said("mujer varon hombre anciano anciana masculino femenino senora senor"),
    letters=frozenset(("M", "F", "V", "H")),
    persons=said(
        "paciente pte padre madre abuelo abuela hermano hermana esposo esposa marido viudo viuda jubilado jubilada ella nonagenario nonagenaria centenario centenaria"
    ),
    between=said("de unos casi ya tiene tenia con edad a los"),
    verbs=said("fallecio fallecida fallecido murio muerto muerta exitus"),
    turned=said("cumplio cumple cumplidos cumplir"),
    opens=said("una un esta este"),
    elapsed=said("hace durante ultimos proximos tras"),
)


def _find(words: Tokens) -> Iterator[Word]:
    yield from ages(words, _AROUND)


def _age(text: str) -> float:
    return 0.9 if int(text) <= 125 else 0


def _old(text: str) -> float:
    return 0.9 if 89 < int(text) <= 125 else 0


RECOGNISER = Recogniser(
    categories={"age": "patient.demographic"},
    patterns=(
        Pattern(
            "age",
            r"(?i)\bedad(?:[ \t]+(?:actual|del[ ]paciente))?[ \t]{0,3}[:.=][ \t]{0,4}(\d{1,3})\b",
            _age,
            group=1,
        ),
        Pattern("age", r"(?i)\b(\d{1,3})[ \t]+años[ \t]+de[ \t]+edad\b", _age, group=1),
        Pattern(
            "age",
            r"(?i)\b" + _WHO + r"[ \t,]{1,2}de[ \t]+(?:unos[ \t]+)?(\d{1,3})[ \t]+a(?:ñ|n)os\b",
            _age,
            group=1,
            hint=r"(?i)de[ \t]+(?:unos[ \t]+)?\d{1,3}[ \t]+a(?:ñ|n)os",
        ),
        Pattern(
            "age",
            r"(?i)\b(?:a[ ]los|con|tiene|ten[íi]a|cumpl(?:e|i[óo])|de)[ \t]+(\d{2,3})[ \t]+años\b",
            _old,
            group=1,
        ),
        Pattern("age", r"(?i)\b" + _WORDS + r"[ ]años\b", sure=0.8),
        Pattern("age", r"(?i)\b(?:nonagenari[oa]|centenari[oa])\b", sure=0.8),
    ),
    words=_find,
    languages=frozenset({"es"}),
)
