"""Questions of use, asked of files before and after they were de-identified: what share of the answers is the same.

| question | of | the same when |
|---|---|---|
| counts | resources, and results that are numbers or codes, by code | as many |
| means | numeric results by code | within a billionth |
| order | results in time | those that are left in the same order |
| intervals | results of codes of which none went, in time | the same whole days between them |
| texts | results in words, by code | as many |
| drugs | drug, dose and unit in texts | mentioned as often |
| series | studies, series, images | as many, and apart as before |
| geometry | rows, columns, frames, spacing, position | the same |
| pixels | the image | byte for byte |

Rules:
- Read as ``identities`` reads: with ``json``, ``split`` and pydicom, nothing of Oathward.
- ``BY_DESIGN`` says which questions a profile does not answer, and why; everything else is to be answered.

Deliberately absent: files that were held. Whoever asks says how many those were.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from math import isclose
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.identities import resources_of, segments_of, values_in

QUESTIONS = ("counts", "means", "order", "intervals", "texts", "drugs", "series", "geometry", "pixels")
TOLERANCE = {"counts": 0.95, "means": 0.90, "order": 0.90, "intervals": 0.90, "texts": 0.90, "drugs": 0.95, "series": 1.0, "geometry": 1.0, "pixels": 1.0}  # fmt: skip
"""Least share of answers that are the same. Counts: one in twenty, whatever we were measured to do. Of an observation a part that may not
stay takes the whole with it (under Safe Harbor a time that is none, the bar code of a sample, a state's own code): where that is more than
the tolerance the question is missed, and ``gone`` says of which codes."""

_YEARS, _TEXTS = "of dates the year stays", "texts go whole"
BY_DESIGN: Mapping[str, Mapping[str, str]] = {
    "safe-harbor": {"order": _YEARS, "intervals": _YEARS, "texts": _TEXTS, "drugs": _TEXTS},
    "research": {},
    "gdpr-pseudonymised": {"texts": _TEXTS, "drugs": _TEXTS},
}
_DRUG = re.compile(
    r"([A-Za-z]{4,})[ ]+(\d+(?:[.]\d+)?)[ ]*(mg|mcg|g|ml|units?|iu|meq)\b(?!/dl)", re.IGNORECASE
)
_CODES = ("CE", "CWE", "CNE")
_COUNTED, _WORDED = ("NM", "SN", *_CODES), ("TX", "FT", "ST")
"""Value types of results: numbers and codes, and texts. What only points at something else is not asked for."""
_LOCAL = re.compile(r"99.*|L|").fullmatch
"""Coding systems of one place's own (HL7 table 0396): what such a code says its text alone says."""
_CODED = ("Observation", "Condition", "Procedure", "MedicationRequest", "Immunization", "AllergyIntolerance")


class Answers:
    """What one file answers."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()
        self.numbers: dict[str, list[float]] = defaultdict(list)
        self.events: list[tuple[str, str]] = []
        self.drugs: Counter[str] = Counter()
        self.series: Counter[str] = Counter()
        self.geometry: Counter[str] = Counter()
        self.pixels: Counter[str] = Counter()

    def order(self) -> list[str]:
        """Give the codes in time."""
        return [code for _day, code in sorted(self.events)]

    def intervals(self, codes: set[str]) -> list[int]:
        """Give the days from one day with such results to the next."""
        days = sorted(
            {date.fromisoformat(day[:10]) for day, code in self.events if code in codes and _is_day(day)}
        )
        return [(later - earlier).days for earlier, later in pairwise(days)]


def answers(path: Path) -> Answers:
    """Ask a file."""
    found = Answers()
    if path.suffix in (".json", ".ndjson"):
        _fhir(path, found)
    elif path.suffix == ".hl7":
        _hl7(path, found)
    elif path.suffix == ".dcm":
        _dicom(path, found)
    return found


def compared(pairs: Mapping[Path, Path]) -> dict[str, tuple[float, float]]:
    """Compare files with what was written of them: question -> (answers that are the same, answers)."""
    same: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    before_series: list[str] = []
    after_series: list[str] = []
    for source, out in pairs.items():
        before, after = answers(source), answers(out)
        for question in ("counts", "texts", "drugs", "geometry", "pixels"):
            old, new = getattr(before, question), getattr(after, question)
            asked[question] += old.total()
            same[question] += (old & new).total()
        for code, numbers in before.numbers.items():
            asked["means"] += 1
            other = after.numbers.get(code)
            same["means"] += bool(other) and isclose(fmean(numbers), fmean(other or [0]), rel_tol=1e-9)
        if len(before.events) > 1:
            asked["order"] += 1
            same["order"] += _in_order(after.order(), before.order())
        left = _as_often(before, after)
        gone = not after.events and before.intervals({code for _day, code in before.events})
        if gone or before.intervals(left):
            asked["intervals"] += 1
            same["intervals"] += not gone and before.intervals(left) == after.intervals(left)
        before_series += before.series.elements()
        after_series += after.series.elements()
    asked["series"], same["series"] = len(before_series), _apart(before_series, after_series)
    return {question: (same[question], asked[question]) for question in QUESTIONS if asked[question]}


def gone(pairs: Mapping[Path, Path], most: int = 12) -> dict[str, int]:
    """Give the codes of which most results or resources went: code -> how many."""
    lost = Counter[str]()
    for source, out in pairs.items():
        lost += answers(source).counts - answers(out).counts
    return dict(lost.most_common(most))


def verdict(profile: str, question: str, same: float, asked: float) -> str:
    """Say whether a question is answered as before: ``answered``, ``by design not: why``, or ``MISSED``."""
    if same >= TOLERANCE[question] * asked:
        return "answered"
    why = BY_DESIGN[profile].get(question)
    return f"by design not: {why}" if why else "MISSED"


def _apart(before: list[str], after: list[str]) -> int:
    """Count names of studies, series and images that stand for one and the same as before, in the order of the files."""
    forth: dict[str, str] = {}
    back: dict[str, str] = {}
    if len(before) != len(after):
        return 0
    return sum(
        forth.setdefault(old, new) == new and back.setdefault(new, old) == old
        for old, new in zip(before, after, strict=True)
    )


def _as_often(before: Answers, after: Answers) -> set[str]:
    """Give the codes of which no result went."""
    old, new = (Counter(code for _day, code in one.events) for one in (before, after))
    return {code for code in old if old[code] == new[code]}


def _in_order(after: list[str], before: list[str]) -> bool:
    """Say whether the results that are left stand in the order in which they stood; how many are left ``counts`` says."""
    waiting = iter(before)
    return bool(after) and all(code in waiting for code in after)


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text[:10]))
    except ValueError:
        return False


def _fhir(path: Path, found: Answers) -> None:
    resources = resources_of(path)
    one = sum(resource["resourceType"] == "Patient" for resource in resources) == 1
    for resource in resources:
        kind = resource["resourceType"]
        code = _code_of(resource)
        if kind in _CODED and code:
            found.counts[f"{kind} {code}"] += 1
        if kind == "Observation" and code:
            value = resource.get("valueQuantity", {}).get("value")
            if isinstance(value, int | float):
                found.numbers[code].append(value)
            day = str(resource.get("effectiveDateTime", ""))
            if one and _is_day(day):
                found.events.append((day[:19], code))
        if kind == "DocumentReference":
            _drugs(
                (text for key, value in values_in(resource) if key == "data" for text in _decoded(value)),
                found,
            )
        _drugs((value for key, value in values_in(resource) if key == "div"), found)


def _code_of(resource: Mapping[str, Any]) -> str:
    for name in ("code", "medicationCodeableConcept", "vaccineCode"):
        value = resource.get(name)
        for coding in value.get("coding", ()) if isinstance(value, dict) else ():
            if coding.get("code"):
                return str(coding["code"])
    return ""


def _decoded(text: str) -> Iterable[str]:
    try:
        yield base64.b64decode(text).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return


def _drugs(texts: Iterable[str], found: Answers) -> None:
    for text in texts:
        plain = html.unescape(re.sub(r"<[^>]*>", " ", text))
        found.drugs.update(" ".join(one).lower() for one in _DRUG.findall(plain))


def _hl7(path: Path, found: Answers) -> None:
    at = ""
    patients = 0
    for fields in segments_of(path):
        got = [*fields, *[""] * 20]
        patients += got[0] == "PID"
        if got[0] == "OBR":
            at = got[7][:8]
        if got[0] != "OBX":
            continue
        code = got[3].split("^")[0]
        local = any(
            _LOCAL(one.partition("~")[0]) for one in (got[5].split("^")[2:3] if got[2] in _CODES else [])
        )
        counted = got[2] in _COUNTED and not local
        if counted:
            found.counts[f"OBX {code}"] += 1
        if got[2] in _WORDED or local:
            found.texts[f"OBX {code}"] += 1
            _drugs([got[5]], found)
        if got[2] == "NM" and re.fullmatch(r"-?\d+(?:[.]\d+)?", got[5]):
            found.numbers[code].append(float(got[5]))
        day = got[14][:8] or at
        if patients == 1 and counted and _is_day(day):
            found.events.append((date.fromisoformat(day).isoformat(), code))


def _dicom(path: Path, found: Answers) -> None:
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, force=True)
        found.series.update(
            f"{name} {dataset.get(name)}"
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
            if dataset.get(name)
        )
        found.geometry.update(
            f"{name} {dataset.get(name)}"
            for name in (
                "Modality", "Rows", "Columns", "NumberOfFrames", "PixelSpacing", "SliceThickness", "ImagePositionPatient",
                "ImageOrientationPatient", "BitsStored", "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept",
            )
            if dataset.get(name) not in (None, "")
        )  # fmt: skip
        if "PixelData" in dataset:
            found.pixels[f"{hash(dataset.PixelData)}"] += 1
