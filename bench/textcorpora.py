"""Read clinical texts with gold marks that others wrote, and split each set in half: ``develop`` to look at, ``report`` to score.

Rules:
- Nothing of a text is kept or printed here; the sets lie beside the checkout (``../shared/corpus/freetext``) or where
  ``OATHWARD_CORPUS`` says, and are read there.
- The half is said by the text itself: the first byte of its SHA-256, even = ``develop``, odd = ``report``. A MEDDOCAN case is
  a file; elsewhere a record is a text. Nobody looks at ``report``: it is scored.
- Gold categories are told in our words (``CATEGORIES``); what is no identifier under the rules we follow (a title, an age
  under 90, a nationality, a year alone) is no gold.
- A title beside a name and a label before an identifier are no part of a mark: the sets differ, we count alike.
- ASQ-PHI gives values without offsets: each is marked wherever it stands in its query as whole words.

- ``notes`` gives clinical notes without marks: for what use is left of them.

Source: ASQ-PHI (MIT), MEDDOCAN (CC BY 4.0), presidio-research (MIT).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

FOLDER = Path(
    os.environ.get("OATHWARD_CORPUS", str(Path(__file__).resolve().parents[2] / "shared" / "corpus"))
)
HOME = FOLDER / "freetext"
SETS = ("asq-phi", "meddocan-es", "presidio-research")

_YEAR = re.compile(r"(?:19|20)\d\d")
_BEFORE = {
    "name": re.compile(r"(?:(?:Dr|Drs|Mr|Mrs|Ms|Miss|Prof)\b\.? ?)?"),
    "id": re.compile(r"(?:[A-Za-z ]+(?:: ?#?|#))?"),
}
_DEGREE = re.compile(r",? (?:MD|DDS|DVM|PhD|RN)$")
"""A title before a name or after it, and what says that an identifier follows, are no part of it (one set marks them, the others do not)."""
Half = Literal["develop", "report"]

CATEGORIES: dict[str, str] = {
    # asq-phi
    "NAME": "name",
    "GEOGRAPHIC_LOCATION": "place",
    "DATE": "date",
    "MEDICAL_RECORD_NUMBER": "id",
    "HEALTH_PLAN_BENEFICIARY_NUMBER": "id",
    "SOCIAL_SECURITY_NUMBER": "id",
    "UNIQUE_IDENTIFIER": "id",
    "ACCOUNT_NUMBER": "id",
    "CERTIFICATE_LICENSE_NUMBER": "id",
    "PHONE_NUMBER": "contact",
    "FAX_NUMBER": "contact",
    "EMAIL_ADDRESS": "contact",
    "IP_ADDRESS": "contact",
    # presidio-research
    "PERSON": "name",
    "GPE": "place",
    "LOCATION": "place",
    "STREET_ADDRESS": "address",
    "ADDRESS": "address",
    "ZIP_CODE": "address",
    "ORGANIZATION": "organisation",
    "DATE_TIME": "date",
    "CREDIT_CARD": "id",
    "IBAN_CODE": "id",
    "US_SSN": "id",
    "US_DRIVER_LICENSE": "id",
    "DOMAIN_NAME": "contact",
    # meddocan-es
    "NOMBRE_SUJETO_ASISTENCIA": "name",
    "NOMBRE_PERSONAL_SANITARIO": "name",
    "TERRITORIO": "place",
    "PAIS": "place",
    "FECHAS": "date",
    "CALLE": "address",
    "ID_SUJETO_ASISTENCIA": "id",
    "ID_TITULACION_PERSONAL_SANITARIO": "id",
    "ID_ASEGURAMIENTO": "id",
    "ID_CONTACTO_ASISTENCIAL": "id",
    "ID_EMPLEO_PERSONAL_SANITARIO": "id",
    "NUMERO_TELEFONO": "contact",
    "NUMERO_FAX": "contact",
    "CORREO_ELECTRONICO": "contact",
    "HOSPITAL": "organisation",
    "INSTITUCION": "organisation",
    "CENTRO_SALUD": "organisation",
}
"""Category of a set -> ours. Absent: no identifier by itself (TITLE, AGE, EDAD, NRP, SEXO, FAMILIARES, OTROS)."""


class Gold(NamedTuple):
    """One marked run: code points, our category, the set's own."""

    start: int
    end: int
    category: str
    kind: str


@dataclass(frozen=True, slots=True)
class Case:
    """One text and what others marked in it; ``beside``: marked, but no identifier: neither missed nor over-redacted."""

    id: str
    language: str
    text: str = field(repr=False)
    gold: tuple[Gold, ...] = field(repr=False)
    beside: tuple[Gold, ...] = field(default=(), repr=False)

    @property
    def set(self) -> str:
        """Which set it is of."""
        return self.id.split(":")[0]


def notes() -> Iterator[str]:
    """Give the notes of the bulk export, decoded; nothing where it is absent."""
    for file in sorted((FOLDER / "fhir" / "bulk-10-patients").glob("DocumentReference*.ndjson")):
        for line in file.read_text("utf-8").splitlines():
            for content in json.loads(line).get("content", ()):
                attachment = content["attachment"]
                if attachment.get("contentType", "").startswith("text/plain") and "data" in attachment:
                    yield base64.b64decode(attachment["data"]).decode("utf-8")


def half(text: str) -> Half:
    """Say to which half a text belongs."""
    return "report" if hashlib.sha256(text.encode()).digest()[0] % 2 else "develop"


def cases(which: Half, sets: tuple[str, ...] = SETS) -> Iterator[Case]:
    """Give the cases of one half, in the order of the sets; nothing where a set is absent."""
    readers = {"asq-phi": _asq, "meddocan-es": _meddocan, "presidio-research": _presidio}
    for name in sets:
        if not (HOME / name).is_dir():
            continue
        for case in readers[name](HOME / name):
            if half(case.text) == which:
                yield case


def _case(ident: str, language: str, text: str, marks: list[tuple[int, int, str]]) -> Case:
    gold: list[Gold] = []
    beside: list[Gold] = []
    for start, end, kind in sorted(marks):
        category = CATEGORIES.get(kind, "")
        if before := category in _BEFORE and _BEFORE[category].match(text[start:end]):
            start += before.end()
        if category == "name" and (after := _DEGREE.search(text[start:end])):
            end = start + after.start()
        if category == "date" and _YEAR.fullmatch(text[start:end]):
            category = ""
        (gold if category else beside).append(Gold(start, end, category, kind))
    return Case(ident, language, text, tuple(gold), tuple(beside))


def _asq(folder: Path) -> Iterator[Case]:
    blocks = (folder / "queries-part.txt").read_text("utf-8").split("===QUERY===\n")[1:]
    for number, block in enumerate(blocks):
        text, _, tags = block.partition("\n===PHI_TAGS===\n")
        marks = []
        for line in tags.splitlines():
            if line.startswith("{"):
                try:
                    tag: dict[str, Any] = json.loads(line)
                except json.JSONDecodeError:  # the set's own slips, and the cut at the end of the part
                    continue
                marks += _everywhere(text, tag["value"], tag["identifier_type"])
        yield _case(f"asq-phi:{number}", "en", text, marks)


def _everywhere(text: str, value: str, kind: str) -> list[tuple[int, int, str]]:
    if not value.strip():
        return []
    found = re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text)
    return [(m.start(), m.end(), kind) for m in found]


def _meddocan(folder: Path) -> Iterator[Case]:
    for file in sorted(folder.rglob("*.ann")):
        text = file.with_suffix(".txt").read_text("utf-8")
        marks = []
        for line in file.read_text("utf-8").splitlines():
            if line.startswith("T"):
                kind, *runs = line.split("\t")[1].replace(";", " ").split()
                marks.append((int(runs[0]), int(runs[-1]), kind))
        yield _case(f"meddocan-es:{file.stem}", "es", text, marks)


def _presidio(folder: Path) -> Iterator[Case]:
    for name in ("data/synth_dataset_v2.json", "tests/data/generated_small.json"):
        for number, record in enumerate(json.loads((folder / name).read_text("utf-8"))):
            marks = [(s["start_position"], s["end_position"], s["entity_type"]) for s in record["spans"]]
            yield _case(f"presidio-research:{Path(name).stem}:{number}", "en", record["full_text"], marks)
