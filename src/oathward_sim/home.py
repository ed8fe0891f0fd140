"""Hubs and wearables of patients at home, posting FHIR: readings by one, in batches and in transactions.

Rules:
- A device tells of its patient first (``PUT Patient/…``), then sends readings that name them by that id alone.
- A hub serves a household: one transaction holds readings of two people, which must part ways.
- Every reading has a marker of its own as its value; of an ECG it is the heart rate reckoned from it. Sources of home devices
  begin at 61, so that it is a value somebody may have: a heart rate, a weight in kilograms, a diastolic pressure.

Source: FHIR R4 §3.1.0.11 (batch and transaction).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from oathward_sim import fhir
from oathward_sim.hospital import Device, Hospital, Patient
from oathward_sim.plan import Planned, Rule, marker, targets

Measure = Callable[[datetime, str], fhir.Json]

_STEP = timedelta(milliseconds=700)
_BATCH_EVERY, _ECG_EVERY, _BATCH = 4, 6, 3
_SAMPLES = 250
_SINGLES = (
    (("8867-4", "Heart rate"), "/min"),
    (("40443-4", "Heart rate --resting"), "/min"),
    (("8889-8", "Heart rate by Pulse oximetry"), "/min"),
)
_HOME = (
    (("8462-4", "Diastolic blood pressure"), "mm[Hg]"),
    (("29463-7", "Body weight"), "kg"),
    (("8867-4", "Heart rate"), "/min"),
)


def wearable(
    hospital: Hospital, device: Device, source: int, who: Patient, rules: Sequence[Rule]
) -> Iterator[Planned]:
    """Make one wearable's requests, for ever: single readings, now and then a batch of what was saved up, or an ECG."""
    make = _Maker(hospital, device, source, who, rules)
    yield make.introduction()
    while True:
        if make.index % _ECG_EVERY == _ECG_EVERY - 1:
            yield make.single(make.ecg)
        elif make.index % _BATCH_EVERY == _BATCH_EVERY - 1:
            yield make.batch()
        else:
            yield make.single(make.reading)


def hub(
    hospital: Hospital, device: Device, source: int, household: Sequence[Patient], rules: Sequence[Rule]
) -> Iterator[Planned]:
    """Make one hub's transactions, for ever: the people, the hub itself, and a reading of each of them."""
    makers = [_Maker(hospital, device, source + n, who, rules) for n, who in enumerate(household)]
    while True:
        entries = [("PUT", make.who, "", fhir.patient(make.patient, make.id)) for make in makers]
        plans = []
        entries.append(("PUT", makers[0].by, "", fhir.device(device, device.name.lower())))
        for make in makers:
            reading, plan = make.next(make.home)
            entries.append(("POST", "Observation", f"urn:uuid:{make.uuid()}", reading))
            plans.append(replace(plan, type="FHIR^Bundle", must=make.must("FHIR^Bundle")))
        data = fhir.dumps(fhir.bundle("transaction", entries))
        yield replace(plans[0], data=b"POST \n" + data, more=tuple(plans[1:]))


class _Maker:
    """One person's readings of one device."""

    def __init__(
        self, hospital: Hospital, device: Device, source: int, who: Patient, rules: Sequence[Rule]
    ) -> None:
        self._hospital, self._device, self._source, self.patient, self._rules = (
            hospital,
            device,
            source,
            who,
            rules,
        )
        self._rng = Random(f"{hospital.seed}/{device.name}/{source}")
        self.index = 0
        self.id = f"at-home-{source}"
        self.who, self.by = f"Patient/{self.id}", f"Device/{device.name.lower()}"

    def must(self, type_: str) -> frozenset[str]:
        """Name who has to get a message of this type."""
        return targets(self._rules, self._device.kind, type_, (self.patient,))

    def uuid(self) -> uuid.UUID:
        """Make an id for an entry that has none yet."""
        return uuid.UUID(int=self._rng.getrandbits(128), version=4)

    def introduction(self) -> Planned:
        """Tell who wears it."""
        mark = marker(self._source, self.index)
        data = fhir.dumps(fhir.patient(self.patient, self.id, mark))
        plan = self._planned("FHIR^Patient", mark)
        return replace(plan, data=f"PUT {self.who}\n".encode() + data)

    def reading(self, at: datetime, mark: str) -> fhir.Json:
        """Measure one thing."""
        code, unit = self._rng.choice(_SINGLES)
        return fhir.quantity(at, self.who, self.by, code, mark, unit)

    def home(self, at: datetime, mark: str) -> fhir.Json:
        """Measure one thing with what stands at home."""
        code, unit = self._rng.choice(_HOME)
        return fhir.quantity(at, self.who, self.by, code, mark, unit)

    def ecg(self, at: datetime, mark: str) -> fhir.Json:
        """Record some seconds of ECG."""
        return fhir.trace(
            at, self.who, self.by, [self._rng.randrange(-60, 240) for _ in range(_SAMPLES)], mark
        )

    def next(self, measure: Measure) -> tuple[fhir.Json, Planned]:
        """Measure, and say what must become of it."""
        mark = marker(self._source, self.index)
        made = measure(self._hospital.start + self.index * _STEP, mark)
        return made, self._planned("FHIR^Observation", mark)

    def single(self, measure: Measure) -> Planned:
        """Send one reading."""
        made, plan = self.next(measure)
        return replace(plan, data=b"POST Observation\n" + fhir.dumps(made))

    def batch(self) -> Planned:
        """Send what was saved up: readings that have nothing to do with each other."""
        made = [self.next(self.reading) for _ in range(_BATCH)]
        entries = [("POST", "Observation", "", reading) for reading, _ in made]
        first, *more = (plan for _, plan in made)
        return replace(
            first, data=b"POST \n" + fhir.dumps(fhir.bundle("batch", entries)), more=tuple(more), each=True
        )

    def _planned(self, type_: str, mark: str) -> Planned:
        control_id = f"{self._device.name}-{self._source}-{self._hospital.seed}-{self.index:06d}"
        self.index += 1
        return Planned(control_id, mark, type_, (self.patient.mrn,), b"", self.must(type_))
