"""Steps of what its siblings decide: codings and concepts, quantities, and the value of an observation.

Rules:
- A coding is one thing: without its code it goes whole. Its display, and the text of a concept, may go alone where
  a code stands beside them.
- A quantity is one thing: it goes with its value or the code of its unit.
- An observation's code decides what its value is, as OBX-3 decides OBX-5 (``hl7v2.observed``).

Deliberately absent: references and extensions (``links``).

Source: FHIR R4 §2.24.0.7 (Coding), §2.24.0.8 (CodeableConcept), §2.24.0.11 (Quantity), §10.1 (Observation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from oathward.protocols.fhir import verdicts
from oathward.protocols.fhir.edits import NOTE, STRUCTURE, Run, Step
from oathward.protocols.fhir.elements import REST, TEXT
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.verdicts import CODE, KNOWN, LOCAL, SAME, STANDARD, SYSTEM, TOKEN
from oathward.protocols.hl7v2.elements import WORDLESS

Leaf = Callable[[str, str, str], Step]
"""(type, class, part) -> the step of such a primitive."""

Keeps = Callable[[str, str], bool]
"""(class, part) -> whether such a value stays as it is."""

USUAL = TOKEN | SAME | KNOWN
"""Of a unit: its code is one of a system that everyone knows, its text looks like a unit."""

MEASURED = frozenset(("comparator", "unit", "system", "code"))
"""Parts of a quantity beside its value."""

MASKING = frozenset(("extension", "_code", "_display"))
"""Where a coding that says nothing else may say why."""

NEEDS = {"": TOKEN, "strict": STANDARD, "code": CODE, "token": TOKEN}


class Maker(NamedTuple):
    """Who gives steps.

    ``leaf``: of primitives. ``others``: of ``id``, extensions and what stands beside primitives. ``keeps``: says
    whether values of a class and part stay as they are.
    """

    leaf: Leaf
    others: Callable[[str], Step]
    keeps: Keeps


class _Coding:
    """The steps of the parts of a Coding, by what was found of it."""

    __slots__ = (
        *("_beside", "_known", "_need", "_note", "_others", "_own", "_same", "_selected", "_system"),
        *("_typed", "_version"),
    )

    def __init__(self, cls: str, part: str, need: int, maker: Maker) -> None:
        leaf = maker.leaf
        self._need, self._others = need, maker.others
        self._own, self._note = leaf("code", cls, part), leaf("string", NOTE, part)
        self._known, self._system = leaf("uri", STRUCTURE, ""), leaf("uri", cls, REST)
        self._typed, self._version = leaf("string", NOTE, REST), leaf("string", cls, REST)
        self._same, self._beside = leaf("string", cls, TEXT), leaf("string", NOTE, TEXT)
        self._selected = leaf("boolean", STRUCTURE, "")

    def step(self, key: str, item: Any, found: int, *, coded: bool) -> Step:
        """Give the step of one part."""
        if key == "code":
            return self._own if found & self._need else self._note
        if key == "system":
            return self._known if found & KNOWN else self._system if found & SYSTEM else self._typed
        if key == "display":
            return self._same if found & SAME else self._beside if coded else self._note
        if key == "version":
            return self._version if verdicts.version(item) else self._typed
        return self._selected if key == "userSelected" else self._others(key)


def coding(cls: str, part: str, form: str, maker: Maker) -> Step:
    """Make the step of a Coding.

    Args:
        cls: class of the code.
        part: of the element it is.
        form: ``strict``: only codes of standard systems; ``code``: as long as those of observations.
        maker: gives steps.
    """
    need = LOCAL if form in ("", "token") and cls in WORDLESS else NEEDS[form]
    parts = _Coding(cls, part, need, maker)
    usual, named = need | KNOWN, need | KNOWN | SAME
    all_kept = maker.keeps(cls, part) and maker.keeps(cls, TEXT)

    def walk(value: Resource, run: Run) -> Resource | None:
        uri, code, text = value.get("system", ""), value.get("code", ""), value.get("display", "")
        found = verdicts.of_coding(uri, code, text)
        # The usual one, of which everything stays: a code of a system that everyone knows.
        whole = named if text else usual
        if all_kept and found & whole == whole and len(value) == (3 if text else 2):
            run.kept += (cls, STRUCTURE)
            if run.codes is not None:
                run.codes.add((uri, code))
            return value
        mark = run.mark()
        out: Resource = {}
        for key, item in value.items():
            made = parts.step(key, item, found, coded=bool(code))(item, run)
            if made is not None:
                out[key] = made
        if ("code" if code else "display") not in out and not (MASKING & {*out} and not code and not text):
            run.undo(mark)
            return None
        if run.codes is not None and code and found & need:
            run.codes.add((uri, code))
        return out

    return walk


def concept(cls: str, part: str, coding_step: Step, maker: Maker) -> Step:
    """Make the step of a CodeableConcept; ``coding_step``: of each of its codings."""
    leaf, others = maker.leaf, maker.others
    same, beside, alone = leaf("string", cls, TEXT), leaf("string", NOTE, TEXT), leaf("string", NOTE, part)

    def text(item: str, codings: list[Any] | None) -> Step:
        if codings is None:
            return alone
        return same if verdicts.text_of_codings(item, codings) else beside

    def walk(value: Resource, run: Run) -> Resource | None:
        codings = value.get("coding")
        out: Resource = {}
        if codings is not None:
            made = [found for item in codings if (found := coding_step(item, run)) is not None]
            if made:
                out["coding"] = made
            if len(value) == 1:
                return out or None
        for key, item in value.items():
            if key != "coding":
                left = (text(item, codings) if key == "text" else others(key))(item, run)
                if left is not None:
                    out[key] = left
        meant = "coding" if codings is not None else "text"
        return out if out and (meant in out or meant not in value) else None

    return walk


class _Quantity:
    """The steps of the parts of a Quantity, by what was found of its unit."""

    __slots__ = (
        *("_alone", "_bare", "_beside", "_code_note", "_digits", "_known", "_local", "_note", "_others"),
        *("_own", "_structure", "_system", "_typed", "_unit"),
    )

    def __init__(self, cls: str, part: str, digits: int, maker: Maker) -> None:
        leaf = maker.leaf
        self._digits, self._others = digits, maker.others
        self._own, self._note = leaf("decimal", cls, part), leaf("decimal", NOTE, part)
        self._structure, self._code_note = leaf("code", STRUCTURE, ""), leaf("code", NOTE, part)
        self._local, self._bare = leaf("code", cls, REST), leaf("string", cls, REST)
        self._known, self._system = leaf("uri", STRUCTURE, ""), leaf("uri", cls, REST)
        self._typed, self._unit = leaf("string", NOTE, REST), leaf("string", STRUCTURE, "")
        self._beside, self._alone = leaf("string", NOTE, TEXT), leaf("string", NOTE, part)

    def step(self, key: str, item: Any, found: int, value: Resource) -> Step:
        """Give the step of one part."""
        if key == "value":
            return self._own if verdicts.number(item, self._digits) else self._note
        if key not in MEASURED:
            return self._others(key)
        # A unit of nothing is whatever the element is.
        return self._bare if "value" not in value else self._of_unit(key, found, coded="code" in value)

    def _of_unit(self, key: str, found: int, *, coded: bool) -> Step:
        if key == "unit":
            return self._unit if found & SAME else self._beside if coded else self._alone
        if key == "code":
            return self._code_note if not found & TOKEN else self._structure if found & KNOWN else self._local
        if key == "system":
            return self._known if found & KNOWN else self._system if found & SYSTEM else self._typed
        return self._structure


def quantity(cls: str, part: str, digits: int, maker: Maker) -> Step:
    """Make the step of a Quantity; ``digits``: more before the point are an identifier."""
    parts = _Quantity(cls, part, digits, maker)
    all_kept = maker.keeps(cls, part)

    def usual(value: Resource, found: int) -> bool:
        """Say whether everything stays of a quantity: a number with a unit that everyone knows."""
        known = found & USUAL == USUAL and len(value) == (4 if "unit" in value else 3)
        return known and "comparator" not in value and verdicts.number(value.get("value", 1e99), digits)

    def walk(value: Resource, run: Run) -> Resource | None:
        uri, code, text = value.get("system", ""), value.get("code", ""), value.get("unit", "")
        found = verdicts.unit(uri, code, text)
        if all_kept and usual(value, found):
            run.kept += (cls, STRUCTURE)
            return value
        mark = run.mark()
        out: Resource = {}
        for key, item in value.items():
            made = parts.step(key, item, found, value)(item, run)
            if made is not None:
                out[key] = made
        if out and (len(out) == len(value) or _says_all(value, out)):
            return out
        run.undo(mark)
        return None

    return walk


def _says_all(value: Resource, out: Resource) -> bool:
    """Say whether what is left of a quantity says as much as it did."""
    return all(
        key in out or key not in value
        for key in ("value", "comparator", *(("code", "system") if "code" in value else ("unit",)))
    )


def observed(variant: Callable[[str, str, int], Step], kind: str) -> Step:
    """Make the step of the value of an observation, by what its code says.

    Args:
        variant: (class, form, digits) -> the step of such a value.
        kind: type of the value.
    """
    known: dict[tuple[str, bool], Step] = {}
    worded = variant("observation.value", "word", 0) if kind in ("string", "CodeableConcept") else None

    def walk(value: Any, run: Run) -> Any:
        code = run.observed
        if worded is not None and code.mdc and not code.personal and _is_word(code.mdc, value):
            return worded(value, run)
        key = code.personal, code.known
        step = known.get(key)
        if step is None:
            step = known[key] = variant(*of_value(kind, code.personal, known=code.known))
        return step(value, run)

    return walk


def of_value(kind: str, personal: str, *, known: bool) -> tuple[str, str, int]:
    """Give class, form and number of digits of the value of an observation.

    Args:
        kind: its type.
        personal: what the code says that it is, if it is no measurement.
        known: whether the code is a standard one.
    """
    digits = 10 if known else 6
    if personal:
        return personal, {"device.type": "words"}.get(personal, ""), digits
    if kind in ("dateTime", "Period", "time"):
        return "patient.time", "", digits
    if kind == "string":
        return NOTE, "", digits
    return "observation.value", "strict" if kind == "CodeableConcept" else "", digits


def _is_word(name: bytes, value: Any) -> bool:
    """Say whether a value is only a word of its enumeration: as a text, or as the one code or text of a concept."""
    if value.__class__ is str:
        return verdicts.word(name, value)
    codings = value.get("coding", ())
    words = {word for word in (value.get("text"), *(coding.get("code") for coding in codings)) if word}
    return (
        len(words) == 1 and not any("display" in coding for coding in codings) and verdicts.word(name, *words)
    )
