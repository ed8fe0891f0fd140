"""Dates of Spanish texts that are told in words: around a month, a season, a holiday, a weekday, ``el día``, and years.

Rules:
- From a month a date goes left over days (``los días 3, 4 y 5 de``), weekdays and ``a finales de``, right over years, other months
  and ``del mismo año``. A short month (``mar``) is one only between such.
- A month alone is a date; of ``Abril``, ``Mayo`` and ``Julio``, written large, we are less sure: they are names, too.
- A holiday is a date, a season only with its year, a weekday after ``el``. ``El día 3`` is one where a thing that is counted
  neither follows nor is said to be (``el día 3 de tratamiento``).
- A year alone is a date after a word of time, in brackets, or at the head of a line, where no unit follows it (``en 2000 ml``);
  one in two figures after ``año`` and ``desde el``; so is a decade.

Deliberately absent: figures alone (``recognisers/dates``), and days counted from another (``ayer``, ``hace tres semanas``).

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.dictionary import said
from oathward.deid.text.recogniser import Word
from oathward.deid.text.spanish import fold
from oathward.deid.text.tokens import Tokens

_MONTHS = said(
    "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre"
)
_SHORT = said("ene feb mar abr may jun jul ago sep sept set oct nov dic")
_NAMES_TOO = frozenset(("abril", "mayo", "julio"))
_SEASONS = said("primavera verano otono invierno")
_HOLIDAYS = said("navidad navidades nochebuena nochevieja")
_WEEKDAYS = said("lunes martes miercoles jueves viernes sabado domingo")
_WEEKDAYS_SHORT = said("lun mie jue vie sab dom")
_DAYS = said(
    "uno primero dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete dieciocho "
    "diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve treinta"
)
_TENS = said("veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa")
_NUMBERS = _DAYS | _TENS | said("y mil novecientos un")
_ABOUT = said(
    "finales final fines principio principios primeros mediados inicio inicios comienzo comienzos semana quincena mitad mes meses"
)
_WHICH = said("ese este dicho aquel mismo presente pasado siguiente corriente proximo actual anterior ultimo")
_AND = said("y a al o u e hasta")
_LINKS = said("de del los")
_BEFORE_YEAR = _LINKS | _ABOUT | said("ano anos decada")
_THE = said("el los dia dias")
_OF = said("de del")
_ONE = said("el los del desde hasta y")
"""What stands before ``día`` where it is one of the calendar, not one of a row."""
_PARTS = said("manana tarde noche madrugada")
_GOES_ON = said(
    "y a al o se por con en fue es para hasta acude ingresa reingresa presenta refiere inicia comienza"
)
_YEARS_AFTER = _MONTHS | _SEASONS | _ABOUT | said(
    "en desde hasta entre de del el para y a al o e u pasado tras hacia circa ca ano anos durante sobre antes despues navidad"
)  # fmt: skip
_UNITS = said(
    "mg mgr g gr grs gramo gramos ml l cc dl mcg ug µg μg ng pg kg ui u mui ufc cm mm m mt mts metros micras mmhg kcal cal calorias hz khz rpm lpm celulas "
    "leucocitos linfocitos neutrofilos plaquetas hematies copias pacientes casos veces ms mseg msec seg segundos minutos horas dias semanas "
    "meses por unidades x mci mbq gy cgy cms litros mililitros euros personas habitantes h hs hrs min anos comprimidos sesiones ciclos"
)
_JOINS = frozenset(" \t\n\r-/.,–'’\u00b4`()")
_GAP_MAX = 4
_LIST_MAX = 8
_YEAR_DIGITS = 4
_SHORT_DIGITS = 2
_THOUSANDS = 3
_MONTH_DAYS = 31


def dates(words: Tokens) -> Iterator[Word]:
    """Give what tells a date; linear in the words."""
    if len(words):
        text = _Text(words)
        yield from text.around_months()
        yield from text.days()
        yield from text.years()


class _Text:
    """The words of one text without case and accents, asked word by word."""

    __slots__ = ("lows", "words")

    def __init__(self, words: Tokens) -> None:
        self.words = words
        self.lows = [fold(word) for word in words.words]

    def word(self, first: int, after: int, sure: float) -> Word:
        return Word(self.words.starts[first], self.words.ends[after - 1], "time", sure)

    def around_months(self) -> Iterator[Word]:
        done = 0
        for i, low in enumerate(self.lows):
            if i < done:
                continue
            if low in _MONTHS or low in _SHORT:
                first, after = self._left(i, done), self._right(i + 1)
                alone = first == i and after == i + 1
                if alone and (low in _SHORT or not self._unlike_name(i)):
                    if low in _MONTHS:
                        yield self.word(i, i + 1, 0.55)
                    continue
                done = after
                yield self.word(first, after, 0.7 if alone else 0.97)
            elif (
                low in _SEASONS or low in _HOLIDAYS or (low == "santa" and i and self.lows[i - 1] == "semana")
            ):
                after = self._right(i + 1)
                if after > i + 1 or low not in _SEASONS:
                    done = after
                    yield self.word(i - (low == "santa"), after, 0.9 if after > i + 1 else 0.6)

    def _unlike_name(self, i: int) -> bool:
        return self.words.words[i][0].islower() or self.lows[i] not in _NAMES_TOO

    def _near(self, i: int) -> bool:
        """Whether only what may stand inside a date stands between word ``i`` and the next."""
        gap = self.words.gap(i)
        return (
            0 <= i < len(self.lows) - 1
            and len(gap) <= _GAP_MAX
            and _JOINS.issuperset(gap)
            and gap.count("\n") < 2
        )

    def _day(self, i: int) -> bool:
        word = self.lows[i].rstrip("oa")  # ``1º``, ``3ª``; ``1ro`` and ``1er``
        word = word.removesuffix("er").removesuffix("r") if word[:1].isdigit() else self.lows[i]
        if word.isdigit():
            return len(word) <= _SHORT_DIGITS and 1 <= int(word) <= _MONTH_DAYS
        return word in _DAYS

    def _left(self, i: int, done: int) -> int:
        """The first word of the date whose month is word ``i``."""
        k = i
        while (
            k > done and i - k < _LIST_MAX and self._near(k - 1) and self.lows[k - 1] in ("de", "del", "mes")
        ):
            k -= 1
        day = k - 1
        if day > done and self.lows[day] == "o" and self.words.gap(day - 1) == ".":
            day -= 1  # ``1.º de mayo``
        if k == i and self.words.gap(k - 1).count(",") and self.lows[i] in _MONTHS:
            return i  # ``a los 3, mayo``
        if day >= done and self._near(day) and self._day(day):
            return self._days(day, done)
        # ``a finales del mes de mayo``
        first = i
        while k > done and self._near(k - 1) and self.lows[k - 1] in _ABOUT and k < i:
            first = k = k - 1
            while k > done and self._near(k - 1) and self.lows[k - 1] in _OF:
                k -= 1
        if first == i and i - k > 1 and "mes" in self.lows[k:i]:
            first = k + self.lows[k:i].index("mes")
        return first

    def _days(self, day: int, done: int) -> int:
        """The first of the days that end with word ``day``, with what stands before them."""
        first, k, stop = day, day - 1, max(done, day - 3 * _LIST_MAX)
        while k >= stop and self._near(k):
            if self.lows[k] in _AND or self.lows[k] in _THE:
                k -= 1
            elif self._day(k) and (k + 1 < first or self.words.gap(k).strip(" ") in (",", "-", "–", "/")):
                first = k
                k -= 1
            else:
                break
        if first > done and self.lows[first - 1] == "dia" and self._near(first - 1):
            first -= 1
        for before in (first - 1, first - 2):
            if before >= done and self._near(before) and self.lows[before] in _WEEKDAYS | _WEEKDAYS_SHORT:
                return before if before == first - 1 or self.lows[first - 1] in _THE else first
        return first

    def _right(self, j: int) -> int:
        """One past the last word of the date that goes on with word ``j``: its year, or other months and theirs."""
        after = self._year(j)
        k = after
        for _ in range(_LIST_MAX):
            link = k < len(self.lows) and self._near(k - 1) and self.lows[k] in _AND
            month = k + link
            if (
                month >= len(self.lows)
                or not self._near(month - 1)
                or self.lows[month] not in _MONTHS
                or not (link or self.words.gap(month - 1).strip(" ") in ("-", "/", "–", ","))
            ):
                break
            after = k = self._year(month + 1)
        return after

    def _year(self, j: int) -> int:
        """One past the year that begins at word ``j``; ``j`` where none does."""
        k, linked = j, False
        while k < len(self.lows) and self._near(k - 1) and self.lows[k] in ("de", "del", "ano") and k - j < 3:
            linked = True
            k += 1
        if k >= len(self.lows) or not self._near(k - 1):
            return j
        if self.lows[k].isdigit():
            return self._in_figures(k, linked=linked) or j
        return self._in_words(k, linked=linked) or (k if linked and self.lows[k - 1] == "ano" else j)

    def _in_figures(self, k: int, *, linked: bool) -> int:
        """One past the year in figures that begins at word ``k``; 0: there is none."""
        low, gap, before = self.lows[k], self.words.gap(k - 1), self.lows[k - 1]
        if self._full(k):
            return k + 1
        if len(low) == _SHORT_DIGITS:
            shortened = before in _SHORT and before != "mar"
            if (". " in gap or ", " in gap) and not (shortened and gap == ". "):
                return 0
            bare = not linked and gap.isspace()
            small = before in _SHORT and self.words.words[k - 1].islower()
            return 0 if bare and (small or self._counts(k)) else k + 1
        # ``2.003``
        thousands = low in ("1", "2") and k + 1 < len(self.lows) and self.words.gap(k) == "."
        return (
            k + 2 if thousands and self.lows[k + 1].isdigit() and len(self.lows[k + 1]) == _THOUSANDS else 0
        )

    def _in_words(self, k: int, *, linked: bool) -> int:
        """One past ``dos mil tres`` or ``mismo año`` that begins at word ``k``; 0: there is none."""
        first = k
        if linked and self.lows[k] in ("dos", "mil") and "mil" in self.lows[k : k + 2]:
            while k < len(self.lows) and self.lows[k] in _NUMBERS and self._near(k - 1):
                k += 1
            return k
        while k < len(self.lows) and self.lows[k] in _WHICH and self.words.gap(k - 1) == " ":
            k += 1
        if k == first:
            return 0
        return k + 1 if self.lows[k : k + 1] == ["ano"] else k

    def _full(self, i: int) -> bool:
        word = self.lows[i]
        return len(word) == _YEAR_DIGITS and word.isdigit() and word[:2] in ("19", "20")

    def _counts(self, i: int) -> bool:
        """Whether figure ``i`` is measured or counts something."""
        gap, after = self.words.gap(i), self.lows[i + 1] if i + 1 < len(self.lows) else ""
        if gap.lstrip(" ")[:1] in ("/", "%", "x"):
            return not (i + 1 < len(self.lows) and self._full(i + 1))
        return (gap in (".", ",") and after[:1].isdigit()) or (not gap.strip(" ") and after in _UNITS)

    def days(self) -> Iterator[Word]:
        """``El día 3``, ``los días 3 y 4``, ``la noche del 3``, ``el lunes``."""
        for i, low in enumerate(self.lows):
            before = self.lows[i - 1] if i else ""
            if low in _WEEKDAYS and before in ("el", "pasado", "proximo", "este", "del", "al"):
                yield self.word(i, i + 1, 0.6)
            day = low in ("dia", "dias") and before in _ONE
            if not day and not (low == "del" and before in _PARTS):
                continue
            k = i
            while (
                k + 1 < len(self.lows)
                and k - i < _LIST_MAX
                and self._near(k)
                and (
                    (self._day(k + 1) and self.lows[k + 1][0].isdigit())
                    or (k > i and self.lows[k + 1] in _AND)
                )
            ):
                k += 1
            while self.lows[k] in _AND:
                k -= 1
            if k > i and not self._counts(k) and self._told(k):
                yield self.word(i + 1, k + 1, 0.6)

    def _told(self, i: int) -> bool:
        """Whether after figure ``i`` the thing is not said that it counts."""
        gap = self.words.gap(i)
        return (
            i + 1 == len(self.lows) or gap[:1] in ",.;:)\n" or (gap == " " and self.lows[i + 1] in _GOES_ON)
        )

    def years(self) -> Iterator[Word]:
        """Years and decades that say when something was."""
        year, start = -3, 0
        for i, low in enumerate(self.lows):
            decade = low in _TENS
            if not (decade or (low.isdigit() and len(low) in (_SHORT_DIGITS, _YEAR_DIGITS))):
                continue
            before = self.words.gap(i - 1) if i else "\n"
            if not self._full(i):
                ago = self.lows[max(i - 2, 0) : i]
                if before.strip(" '’\u00b4`") == "" and ago and self._short_year(i, ago, decade=decade):
                    yield self.word(self._since(i), i + 1, 0.75)
                continue
            goes_on = (year == i - 1 and len(before) <= _GAP_MAX and _JOINS.issuperset(before)) or (
                year == i - 2 and self.lows[i - 1] in _AND
            )
            if (goes_on or self._timed(i, before)) and not self._counts(i):
                # Years one after the other are one span, with what stands between them.
                start = start if goes_on else i
                year = i
                yield self.word(self._since(start), i + 1, 0.8 if goes_on else 0.75)

    def _since(self, i: int) -> int:
        """The first word of what says which year word ``i`` is, and when in it: ``finales del año``, ``década de``."""
        first = k = i
        while k > 0 and i - k < _GAP_MAX and self._near(k - 1) and self.lows[k - 1] in _BEFORE_YEAR:
            k -= 1
            first = k if self.lows[k] not in _LINKS else first
        return first

    def _short_year(self, i: int, ago: list[str], *, decade: bool) -> bool:
        """``Año 98``, ``los años 80``, ``los noventa``, ``desde el 98``."""
        figure = int(self.lows[i]) >= 30 if not decade else self.lows[i] != "veinte" or ago[-1] == "anos"
        if not figure or self._counts(i):
            return ago[-1] in ("ano", "anos") and not self._counts(i)
        if ago[-1] in ("ano", "anos") or ago in (["decada", "de"], ["de", "los"], ["en", "los"]):
            return ago[-1] != "los" or decade or "decada" in self.lows[max(i - 3, 0) : i]
        return not decade and ago[-1] == "el" and ago[0] in ("desde", "hasta", "en")

    def _timed(self, i: int, before: str) -> bool:
        """Whether a word of time, a bracket or the head of a line makes the four figures of word ``i`` a year."""
        gap = self.words.gap(i)
        if "\n" in before or before.rstrip(" ")[-1:] in (".", ";", ":", "•", "-"):
            return gap.lstrip(" ")[:1] in (":", "-", "–") or ("\n" in before and gap[:1] in (".", ")"))
        following = (
            self.words.gap(i)[:1] in ("-", "–", "/") and self.lows[i + 1 : i + 2] and self._full(i + 1)
        )
        return (
            before in (" (", "\n(", "(")
            or bool(following)
            or (before == " " and self.lows[i - 1] in _YEARS_AFTER)
        )
