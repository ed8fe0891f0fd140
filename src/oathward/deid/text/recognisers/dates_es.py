"""Dates of Spanish texts: with months by name, in words, after a label however mistyped, and years that say when something was.

Rules:
- A month alone is a date; of ``Abril``, ``Mayo`` and ``Julio``, written large, we are less sure: they are names, too.
- A year alone is a date after a word of time or in brackets, where no unit follows it (``en 2000 ml``).

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.recogniser import Pattern, Recogniser, Word
from oathward.deid.text.spanish import words_of
from oathward.deid.text.tokens import Tokens

_FULL = "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
_SHORT = "ene|feb|mar|abr|may|jun|jul|ago|sept?|set|oct|nov|dic"
_MONTH = rf"(?:{_FULL}|(?:{_SHORT})\b\.?)"
_FULL_MONTH = rf"(?:{_FULL})"
_YEAR = r"(?:(?:19|20)\d{2}|[12]\.\d{3})"
_OF_YEAR = rf"(?:(?:[ \t]*[-/,.][ \t]*|[ \t]+(?:del?[ \t]+)?(?:año[ \t]+)?){_YEAR}|(?:[-/.]|[ ]del?[ ](?:año[ ])?|[ ]?['`\x{{b4}}\x{{2019}}])['`\x{{b4}}]?\d{{2}})\b"
_DAY_TO_MONTH = r"(?:[ \t]*[-/.][ \t]*|[ \t]+(?:de[ \t]+(?:mes[ ]de[ ])?|del[ ]mes[ ]de[ ])?)"
_DAY_WORDS = (
    r"(?:uno|primero|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|diecis[ée]is|diecisiete|dieciocho|diecinueve"
    r"|veinte|veinti(?:uno|d[óo]s|tr[ée]s|cuatro|cinco|s[ée]is|siete|ocho|nueve)|treinta(?:[ ]y[ ]uno)?)"
)
_YEAR_WORDS = r"(?:dos[ ]mil|mil[ ]novecientos)(?:[ ](?:y|[a-záéíóú]{3,14})){0,3}"
_WEEKDAY = r"(?:(?:lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo),?[ ](?:el[ ])?)?"
_ABOUT = r"(?:(?:finales|final|fines|principios|mediados|inicios?|comienzos)[ ]del?[ ](?:mes[ ]de[ ]|año[ ])?|mes(?:es)?[ ]de[ ])"
_THAT_YEAR = r"(?:[ ]de(?:l|[ ]ese|[ ]este|[ ]dicho|[ ]aquel)(?:[ ](?:mismo|presente|pasado|siguiente))?[ ]año(?:[ ](?:en[ ]curso|pasado|siguiente|anterior))?)"
_FIGURES = r"\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})"
_VALUE = (
    rf"([^\s:\d]{{0,3}}\d(?:[ \t]?[-/.,:;]{{0,2}}[ \t]?\d)*(?:[ \t]?(?:[-/.]|del?[ ])?[ \t]?[A-Za-zÀ-ž]{{3,10}}\.?[ \t]?(?:[-/.,]|del?[ ](?:año[ ])?)?[ \t]?\d{{2,4}}\b)?"
    rf"|{_MONTH}(?:[-/., ]{{1,2}}(?:del?[ ])?\d{{2,4}})?)"
)
"""What stands after a date's label, however mistyped."""

_YEARS_AFTER = words_of(
    "en desde hasta entre de del el para y a al o e u mediados finales final fines principios inicios comienzos pasado tras hacía circa ca año años durante enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre "
    "noviembre diciembre primavera verano otoño invierno hacia sobre antes después navidad"
)
_UNITS = words_of(
    "mg mgr g gr grs gramo gramos ml l cc dl mcg ug µg μg ng pg kg ui u mui ufc cm mm m mt mts metros micras mmhg kcal cal calorías hz khz rpm lpm células "
    "celulas leucocitos linfocitos neutrófilos plaquetas hematíes copias pacientes casos veces ms mseg msec seg segundos minutos horas días dias semanas "
    "meses por unidades x mci mbq gy cgy cms litros mililitros euros personas habitantes"
)
_YEAR_DIGITS = 4


def _years(words: Tokens) -> Iterator[Word]:
    """Years that say when something was: after a word of time, and no unit after them."""
    year, start = -3, 0
    for i, word in enumerate(words.words):
        if len(word) != _YEAR_DIGITS or not word.isdigit() or word[:2] not in ("19", "20"):
            continue
        before = words.gap(i - 1) if i else "\n"
        gap, after = words.gap(i), words.lowers[i + 1 : i + 2]
        timed = before == " " and words.lowers[i - 1] in _YEARS_AFTER
        opens = "\n" in before and gap[:1] in (":", ".", ")", "-")
        told = (
            timed
            or opens
            or before in (" (", "\n(")
            or (year == i - 1 and before in ("-", " - ", "/", ", ", "–"))
        )
        measured = gap[:1] in ("/", "%", "x") or (gap in (".", ",") and bool(after) and after[0][0].isdigit())
        if told and not measured and not (gap.strip(" ") == "" and after and after[0] in _UNITS):
            # Years one after the other are one span, with what stands between them.
            goes_on = year == i - 1 or (year == i - 2 and words.lowers[i - 1] in ("y", "a", "al", "hasta"))
            start = start if goes_on else i
            year = i
            yield Word(words.starts[start], words.ends[i], "time", 0.8 if goes_on else 0.75)


RECOGNISER = Recogniser(
    categories={"time": "patient.time", "birth": "patient.birth-date"},
    patterns=(
        Pattern(
            "time",
            rf"(?i)\b{_WEEKDAY}(?:d[íi]a[ ])?\d{{1,2}}[ºª°]?{_DAY_TO_MONTH}{_MONTH}(?:{_OF_YEAR}|{_THAT_YEAR})?",
            sure=0.97,
        ),
        Pattern(
            "time",
            rf"(?i)\b(?:\d{{1,2}}(?:[ ]?,[ ]?|[ ]?-[ ]?|[ ](?:y|a|al|o|u)[ ](?:el[ ])?)){{1,4}}\d{{1,2}}[ ]de[ ]{_MONTH}(?:{_OF_YEAR})?",
            sure=0.98,
        ),
        # The month may be mistyped where a day and a year stand around it.
        Pattern(
            "time",
            rf"(?i)\b\d{{1,2}}(?:[ ]de[ ]|[-/])[a-záéíóú]{{3,11}}(?:[ ]del?[ ](?:año[ ])?|[-/]){_YEAR}\b",
            sure=0.9,
        ),
        Pattern("time", rf"(?i)\b{_ABOUT}?{_FULL_MONTH}(?:{_OF_YEAR}|{_THAT_YEAR})", sure=0.97),
        Pattern(
            "time",
            rf"(?i)\b{_FULL_MONTH}(?:[ ]?[-/][ ]?|[ ](?:y|a)[ ]){_FULL_MONTH}(?:{_OF_YEAR})?",
            sure=0.97,
        ),
        Pattern("time", rf"(?i)\b(?:{_SHORT})\b\.?[-/ ]{_YEAR}\b", sure=0.9),
        Pattern("time", rf"(?i)\b(?:{_SHORT})[-/]'?\d{{2}}\b", sure=0.8),
        Pattern("time", rf"(?i)\b{_ABOUT}(?:{_FULL_MONTH}|{_YEAR})\b", sure=0.9),
        Pattern("time", rf"(?i)\b{_FIGURES}[ ](?:al?|y|-|hasta)[ ](?:el[ ])?{_FIGURES}\b", sure=0.95),
        Pattern(
            "time",
            rf"(?i)\b(?:{_FIGURES}|{_YEAR})[ ]a[ ]las[ ]\d{{1,2}}[:.]\d{{2}}(?:[ ]?h(?:oras|rs?)?\b)?",
            sure=0.95,
        ),
        Pattern("time", rf"\b{_FULL_MONTH}\b", sure=0.7),
        Pattern(
            "time",
            r"\b(?:Enero|Febrero|Marzo|Junio|Agosto|Septiembre|Setiembre|Octubre|Noviembre|Diciembre)\b",
            sure=0.7,
        ),
        Pattern(
            "time",
            r"\b(?:ENERO|FEBRERO|MARZO|JUNIO|AGOSTO|SEPTIEMBRE|OCTUBRE|NOVIEMBRE|DICIEMBRE)\b",
            sure=0.7,
        ),
        # Names of persons, too: whoever finds a name there is surer.
        Pattern("time", r"\b(?:Abril|Mayo|Julio|ABRIL|MAYO|JULIO)\b", sure=0.55),
        Pattern("time", r"\b\d{1,2}[-/. ](?:I{1,3}|IV|VI{0,3}|IX|XI{0,2})[-/. ](?:\d{4}|\d{2})\b", sure=0.8),
        Pattern(
            "time",
            r"(?i)\b\d{1,2}[ ](?:al?|y|-)[ ](?:el[ ])?\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})\b",
            sure=0.95,
        ),
        Pattern(
            "time",
            rf"(?i)\b{_DAY_WORDS}[ ]de[ ]{_FULL_MONTH}(?:[ ]del?[ ](?:{_YEAR}\b|{_YEAR_WORDS}))?",
            sure=0.95,
        ),
        Pattern(
            "time",
            r"(?i)\b\d{1,2}[ ]de(?:l|[ ]ese|[ ]este|[ ]dicho)(?:[ ](?:mismo|presente|pasado|corriente))?[ ]mes\b",
            sure=0.8,
        ),
        Pattern(
            "time",
            rf"(?i)\b(?:primavera|verano|otoño|invierno|navidad(?:es)?|semana santa)(?:[ ]del?(?:[ ]año)?)?[ ](?:{_YEAR}|'?\d{{2}})\b",
            sure=0.9,
        ),
        Pattern("time", rf"(?i)\baños?[ ](?:{_YEAR}|'?[3-9]\d)\b", sure=0.8),
        Pattern(
            "time",
            r"(?i)\b(?:los[ ]años|d[ée]cada[ ]de(?:[ ]los)?(?:[ ]años)?)[ ](?:'?\d{2}\b|veinte|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa)",
            sure=0.8,
        ),
        Pattern(
            "time",
            r"(?i)\b(?:desde|entre|de|del)[ ]((?:19|20)\d{2}[ ](?:a|y|al|hasta)[ ](?:19|20)\d{2})\b",
            group=1,
            sure=0.9,
        ),
        Pattern("time", r"(?i)\b(?:en|desde|hasta|año|del?)[ ](2\.0[0-4]\d|1\.9\d{2})\b", group=1, sure=0.6),
        Pattern("time", r"\b(?:19|20)\d{2}[-/]\d{2}\b", sure=0.6),
        Pattern(
            "time",
            r"(?i)(?:\bel|\bd[íi]a|\bdesde el|\bhasta el|\bfecha)[ ](\d{1,2}[/-](?:0?[1-9]|1[0-2]))\b",
            group=1,
            sure=0.8,
        ),
        Pattern("time", r"\b(?:0?[1-9]|1[0-2])[/-](?:19|20)\d{2}\b", sure=0.8),
        Pattern("time", r"\b(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}\b", sure=0.9),
        Pattern("time", r"\b\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})\b", sure=0.9),
        Pattern(
            "birth",
            r"(?i)(?:fecha[ \t]+(?:de[ \t]+)?nac(?:imiento|\.)?|f\.?[ \t]?(?:de[ \t]+)?nac(?:imiento)?\.?|\bf\.?n\.?|nacid[oa](?:[ \t]+el)?)[ \t]{0,3}[:.]{0,2}[ \t]{0,4}(?:d[íi]a[ ])?"
            + _VALUE,
            group=1,
            sure=0.99,
        ),
        Pattern(
            "time",
            r"(?i)\bfecha(?:[ \t]+[a-záéíóú]{1,16}){0,5}[ \t]{0,3}[:.;]{0,2}[ \t]{0,4}" + _VALUE,
            group=1,
            sure=0.98,
        ),
    ),
    words=_years,
    languages=frozenset({"es"}),
)
