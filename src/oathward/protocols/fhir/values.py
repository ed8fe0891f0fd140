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
from typing import Any

from oathward.protocols.fhir import verdicts
from oathward.protocols.fhir.edits import NOTE, STRUCTURE, Run, Step, compose
from oathward.protocols.fhir.elements import REST, TEXT
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.verdicts import CODE, KNOWN, SAME, STANDARD, SYSTEM, TOKEN

Leaf = Callable[[str, str, str], Step]
"""(type, class, part) -> the step of such a primitive."""

NEEDS = {"": TOKEN, "strict": STANDARD, "code": CODE, "token": TOKEN}


def coding(cls: str, part: str, form: str, leaf: Leaf, others: Callable[[str], Step]) -> Step:
    """Make the step of a Coding.

    Args:
        cls: class of the code.
        part: of the element it is.
        form: ``strict``: only codes of standard systems; ``code``: as long as those of observations.
        leaf: gives steps of primitives.
        others: gives the step of ``id`` and of extensions.
    """
    need = NEEDS[form]
    own, note = leaf("code", cls, part), leaf("string", NOTE, part)
    known, system, typed = leaf("uri", STRUCTURE, ""), leaf("uri", cls, REST), leaf("string", NOTE, REST)
    same, display = leaf("string", cls, TEXT), leaf("string", NOTE, TEXT)
    version, selected = leaf("string", cls, REST), leaf("boolean", STRUCTURE, "")

    def walk(value: Resource, run: Run) -> Resource | None:
        uri, code, text = value.get("system", ""), value.get("code", ""), value.get("display", "")
        found = verdicts.of_coding(uri, code, text)
        mark = run.mark()
        out: Resource = {}
        for key, item in value.items():
            if key == "code":
                step = own if found & need else note
            elif key == "system":
                step = known if found & KNOWN else system if found & SYSTEM else typed
            elif key == "display":
                step = same if found & SAME else display if code else note
            elif key == "version":
                step = version if verdicts.FITS["code"](item) else typed
            else:
                step = selected if key == "userSelected" else others(key)
            made = step(item, run)
            if made is not None:
                out[key] = made
        if ("code" if code else "display") in out:
            if run.codes is not None and code and found & need:
                run.codes.add((uri, code))
            return out
        run.undo(mark)
        return None

    return walk


def concept(cls: str, part: str, coding_step: Step, leaf: Leaf, others: Callable[[str], Step]) -> Step:
    """Make the step of a CodeableConcept; ``coding_step``: of each of its codings."""
    same, beside, alone = leaf("string", cls, TEXT), leaf("string", NOTE, TEXT), leaf("string", NOTE, part)

    def walk(value: Resource, run: Run) -> Resource | None:
        out: Resource = {}
        codings = value.get("coding")
        if codings is not None:
            made = [found for item in codings if (found := coding_step(item, run)) is not None]
            if made:
                out["coding"] = made
        for key, item in value.items():
            if key == "coding":
                continue
            if key == "text":
                if codings is None:
                    step = alone
                else:
                    step = same if verdicts.text_of_codings(item, codings) else beside
            else:
                step = others(key)
            left = step(item, run)
            if left is not None:
                out[key] = left
        return out if ("text" if codings is None else "coding") in out else None

    return walk


def quantity(cls: str, part: str, digits: int, leaf: Leaf, others: Callable[[str], Step]) -> Step:
    """Make the step of a Quantity; ``digits``: more before the point are an identifier."""
    own, note = leaf("decimal", cls, part), leaf("decimal", NOTE, part)
    structure, code_note = leaf("code", STRUCTURE, ""), leaf("code", NOTE, part)
    local = leaf("code", cls, REST)
    known, system, typed = leaf("uri", STRUCTURE, ""), leaf("uri", cls, REST), leaf("string", NOTE, REST)
    beside, alone, unit = (
        leaf("string", NOTE, TEXT),
        leaf("string", NOTE, part),
        leaf("string", STRUCTURE, ""),
    )
    bare = compose(dict.fromkeys(("unit", "code", "system", "comparator"), leaf("string", cls, REST)))

    def walk(value: Resource, run: Run) -> Resource | None:
        if "value" not in value:
            return bare(value, run)  # type: ignore[no-any-return]  # an object
        uri, code, text = value.get("system", ""), value.get("code", ""), value.get("unit", "")
        found = verdicts.unit(uri, code, text)
        mark = run.mark()
        out: Resource = {}
        for key, item in value.items():
            if key == "value":
                step = own if verdicts.number(item, digits) else note
            elif key == "unit":
                step = unit if found & SAME else beside if code else alone
            elif key == "code":
                step = code_note if not found & TOKEN else structure if found & KNOWN else local
            elif key == "system":
                step = known if found & KNOWN else system if found & SYSTEM else typed
            else:
                step = structure if key == "comparator" else others(key)
            made = step(item, run)
            if made is not None:
                out[key] = made
        if len(out) == len(value) or _says_all(value, out):
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
