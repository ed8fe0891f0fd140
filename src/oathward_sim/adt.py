"""The patient administration feed: the one authoritative source of who is who.

Rules:
- It first registers everyone it knows (A28), then admits (A01, A04), and then tells of the day: updates
  (A08, A31), transfers (A02), discharges (A03), second registrations and their merges (A40), links and
  unlinks (A24, A37), newborns with their mothers, people nobody could identify.
- Messages come in one order that makes sense: nobody is merged or moved before being registered.
- EVN-2 is unique, to a tenth of a millisecond: it is the marker where a structure has no OBX.

Source: HL7 v2.6 chapter 3; structures ADT_A01, A02, A03, A05, A06, A24, A37, A39.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from oathward_sim.hl7 import components, message, segment, stamp, stamp_fine, text
from oathward_sim.hospital import AUTHORITY, Hospital, Patient
from oathward_sim.plan import Planned, Rule, marker, targets

SOURCE = 96
"""Marker number of the feed."""

_STRUCTURES = {
    "A01": "ADT_A01", "A02": "ADT_A02", "A03": "ADT_A03", "A04": "ADT_A01", "A08": "ADT_A01", "A24": "ADT_A24",
    "A28": "ADT_A05", "A31": "ADT_A05", "A37": "ADT_A37", "A40": "ADT_A39",
}  # fmt: skip
_WITH_OBX = frozenset({"A01", "A03", "A04", "A08", "A28", "A31"})
_STEP = timedelta(milliseconds=200)


class Feed:
    """Make the feed's messages, one after another, without end.

    ``opening`` are the registrations and admissions that come before any device speaks.
    """

    def __init__(self, hospital: Hospital, rules: Sequence[Rule]) -> None:
        self._hospital, self._rules = hospital, rules
        self._rng = Random(f"{hospital.seed}/adt")
        self._count = 0

    def opening(self) -> list[Planned]:
        """Register and admit everyone the feed knows of at the start."""
        known = [p for p in self._hospital.patients if p.registered]
        return [self._about("A28", p) for p in known] + [self._about("A01", p) for p in known]

    def day(self) -> Iterator[Planned]:
        """Tell what happens afterwards, for ever; the newcomer is not sent home."""
        yield from self._births()
        yield from self._unknowns()
        yield from self._merges()
        known = [p for p in self._hospital.patients if p.registered]
        while True:
            yield from self._links(self._rng.sample(known, 2))
            for _ in range(12):
                trigger = self._rng.choice(("A08", "A08", "A31", "A04", "A02", "A03"))
                who = self._rng.choice(known)
                stays = trigger == "A03" and who is self._hospital.newcomer
                yield self._about("A08" if stays else trigger, who)

    def _births(self) -> Iterator[Planned]:
        for baby in self._hospital.newborns:
            yield self._about("A28", baby)
            yield self._about("A01", baby)

    def _unknowns(self) -> Iterator[Planned]:
        for someone in self._hospital.unknowns:
            yield self._about("A01", someone)

    def _merges(self) -> Iterator[Planned]:
        for second, first in self._hospital.duplicates:
            yield self._about("A28", second)
            yield self.merge(first, second)

    def _links(self, pair: Sequence[Patient]) -> Iterator[Planned]:
        for trigger in ("A24", "A37"):
            at, mark = self._next()
            a, b = pair
            segments = [
                self._header(trigger, at),
                self._event(at, trigger),
                patient_segment(a),
                patient_segment(b),
            ]
            yield self._planned(trigger, mark_of_event(at), segments, (a, b), mark)

    def merge(self, into: Patient, gone: Patient) -> Planned:
        """Say that two numbers are one patient (A40)."""
        at, mark = self._next()
        merged = segment("MRG", {1: identifier(gone), 7: components(gone.family, gone.given)})
        return self._planned(
            "A40",
            mark_of_event(at),
            [self._header("A40", at), self._event(at, "A40"), patient_segment(into), merged],
            (into, gone),
            mark,
        )

    def _about(self, trigger: str, patient: Patient) -> Planned:
        at, mark = self._next()
        segments = [self._header(trigger, at), self._event(at, trigger), patient_segment(patient)]
        if trigger in {"A01", "A04", "A08", "A28", "A31"} and patient.relative[0]:
            segments.append(relative_segment(patient))
        segments.append(visit_segment(patient))
        if trigger in _WITH_OBX:
            segments.append(
                segment(
                    "OBX",
                    {1: "1", 2: "NM", 3: "29463-7^Body weight^LN", 5: mark, 6: "kg^kilogram^UCUM", 11: "F"},
                )
            )
        if trigger == "A01" and patient.insurance:
            segments.append(insurance_segment(patient))
        return self._planned(
            trigger, mark if trigger in _WITH_OBX else mark_of_event(at), segments, (patient,), mark
        )

    def _planned(
        self, trigger: str, mark: str, segments: list[str], patients: tuple[Patient, ...], number: str
    ) -> Planned:
        type_ = f"ADT^{trigger}"
        about = tuple(p.mrn for p in patients) + tuple(p.mother for p in patients if p.mother)
        must = targets(self._rules, "adt", type_, patients)
        return Planned(
            f"RG{self._hospital.seed}N{number.partition('.')[2]}", mark, type_, about, message(segments), must
        )

    def _next(self) -> tuple[datetime, str]:
        mark = marker(SOURCE, self._count)
        at = self._hospital.start + self._count * _STEP
        # The fraction counts messages; the second goes on with the day.
        at = at.replace(microsecond=self._count % 10_000 * 100)
        self._count += 1
        return at, mark

    def _header(self, trigger: str, at: datetime) -> str:
        seed = self._hospital.seed
        return segment(
            "MSH",
            {
                3: self._hospital.feed.application, 4: "OATHGEN", 5: "OATHWARD", 6: "OATHGEN", 7: stamp(at),
                9: components("ADT", trigger, _STRUCTURES[trigger]), 10: f"RG{seed}N{self._count - 1:06d}", 11: "P",
                12: "2.6", 18: "UNICODE UTF-8",
            },
        )  # fmt: skip

    def _event(self, at: datetime, trigger: str) -> str:
        return segment("EVN", {1: trigger, 2: mark_of_event(at), 5: "D4000^Okonjowa^Beatrix"})


def mark_of_event(at: datetime) -> str:
    """EVN-2 of a message: a marker of its own."""
    return stamp_fine(at)


def identifier(patient: Patient) -> str:
    """PID-3 (CX)."""
    return components(patient.mrn, "", "", AUTHORITY, "MR")


def patient_segment(p: Patient) -> str:
    """PID as the feed knows it."""
    fields = {
        1: "1", 3: identifier(p), 5: components(p.family, p.given, p.middle, "", "", "", "L"), 7: p.born, 8: p.sex,
        11: components(p.street, "", p.town, "", p.postcode, "GBR", "H"),
        13: "~".join(x for x in (components(p.phone, "PRN", "PH"), components("", "NET", "Internet", p.email)) if p.phone),
        18: components(p.visit, "", "", AUTHORITY, "AN"),
    }  # fmt: skip
    if p.mother:
        fields |= {21: components(p.mother, "", "", AUTHORITY, "MR"), 24: "N", 25: "1"}
    return segment("PID", fields)


def relative_segment(p: Patient) -> str:
    """NK1: the next of kin."""
    family, given, phone = p.relative
    return segment(
        "NK1",
        {
            1: "1",
            2: components(family, given),
            3: "MTH^Mother^HL70063" if p.mother else "SPO^Spouse^HL70063",
            5: text(phone),
        },
    )


def visit_segment(p: Patient) -> str:
    """PV1."""
    return segment(
        "PV1",
        {
            1: "1",
            2: "I",
            3: p.place,
            7: components(*p.doctor),
            19: components(p.visit, "", "", AUTHORITY, "VN"),
        },
    )


def insurance_segment(p: Patient) -> str:
    """IN1."""
    return segment(
        "IN1",
        {1: "1", 2: "BASIC^Basic cover^L", 3: "INS77", 4: "Mutual of Saltingham", 16: components(p.family, p.given), 17: "SEL^Self^HL70063", 18: p.born, 36: text(p.insurance)},
    )  # fmt: skip
