"""The people, beds and devices of a simulated hospital, all from one seed.

Rules:
- The same seed gives the same hospital. Nobody in it exists.
- Hospital numbers have eight digits and begin with 97 or more, so that no measurement, time or code can
  hold one by chance: a hit in a delivery is a leak.
- One patient is the canary: her record may go to care recipients only, whatever a link says.
- Consent varies: research permitted, never asked, denied, ended yesterday, permitted but for one class of data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from oathward_sim import names
from oathward_sim.hl7 import components

AUTHORITY = "HOSP"
"""Assigning authority of hospital numbers."""

WARDS = ("ICU", "CCU", "MED", "SUR")
_CHILD, _CHILD_DAYS = 7, 9 * 366
_FIRST_NUMBER = 97_100_000


class Choice(StrEnum):
    """What a patient said about research."""

    PERMITS = "permits"
    NEVER_ASKED = "never-asked"
    DENIES = "denies"
    ENDED = "ended"
    NARROWS = "narrows"
    """Permits, but for when they were born: not even the year."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient and their present stay.

    Args:
        mrn: hospital number (PID-3, type MR), eight digits.
        born: ``YYYYMMDD``.
        relative: family and given name and telephone number of the next of kin.
        mother: hospital number of the mother of a newborn, else empty.
        registered: whether the ADT feed ever tells of this patient.
    """

    mrn: str
    family: str
    given: str
    middle: str
    sex: str
    born: str
    street: str
    town: str
    postcode: str
    phone: str
    email: str
    insurance: str
    visit: str
    ward: str
    room: str
    bed: str
    relative: tuple[str, str, str]
    doctor: tuple[str, str, str]
    choice: Choice
    canary: bool = False
    mother: str = ""
    registered: bool = True

    @property
    def place(self) -> str:
        """PV1-3: ward, room, bed, facility."""
        return components(self.ward, self.room, self.bed, "OATH")

    @property
    def permits_research(self) -> bool:
        """Whether research may have this patient's observations today."""
        return self.choice in {Choice.PERMITS, Choice.NARROWS} and not self.canary


@dataclass(frozen=True, slots=True)
class Device:
    """One device as the inventory should know it.

    Args:
        name: stands in MSH-3.1 and names its certificate files.
        eui: EUI-64 in hex, MSH-3.2 and OBX-18.3.
        kind: ``pump``, ``monitor``, ``adt``, ``hub``, ``wearable``.
        known: whether the inventory is told of it.
    """

    name: str
    eui: str
    kind: str
    make: str
    model: str
    serial: str
    ward: str
    known: bool = True

    @property
    def application(self) -> str:
        """MSH-3 in full."""
        return components(self.name, self.eui, "EUI-64")


@dataclass(frozen=True, slots=True)
class Hospital:
    """Everyone and everything, fixed at the start.

    ``department`` tells of its own patients and may not say who is who; ``feed`` may.
    ``duplicates`` are second registrations of patients (same person, other number) that the feed merges;
    ``newborns`` and ``unknowns`` (John Does) come by the feed as well.
    """

    seed: int
    start: datetime
    patients: tuple[Patient, ...]
    duplicates: tuple[tuple[Patient, Patient], ...]
    newborns: tuple[Patient, ...]
    unknowns: tuple[Patient, ...]
    pumps: tuple[Device, ...]
    monitors: tuple[Device, ...]
    feed: Device
    department: Device
    hubs: tuple[Device, ...] = ()
    wearables: tuple[Device, ...] = ()

    @property
    def everyone(self) -> tuple[Patient, ...]:
        """All records of patients, second registrations included."""
        return (*self.patients, *(d for d, _ in self.duplicates), *self.newborns, *self.unknowns)

    @property
    def canary(self) -> Patient:
        """The patient whose record goes to care only."""
        return next(p for p in self.patients if p.canary)

    @property
    def devices(self) -> tuple[Device, ...]:
        """Every device the inventory is told of."""
        return (self.feed, self.department, *self.pumps, *self.monitors, *self.hubs, *self.wearables)

    @property
    def withdraws(self) -> Patient:
        """The patient who permits research and takes it back half-way: in bed with a pump and a monitor, and at home."""
        return self.patients[0]

    @property
    def newcomer(self) -> Patient:
        """The patient that somebody who tries the demo is: permits research, in bed with a pump and a monitor, and at home."""
        return self.patients[3]

    @property
    def gives(self) -> Patient:
        """The patient whose permission for research has ended, and who gives it again half-way."""
        return self.patients[4]

    @property
    def narrows(self) -> Patient:
        """The patient who permits research but for one class of data: in bed with a monitor."""
        return self.patients[5]

    @property
    def child(self) -> Patient:
        """The patient who is nine years old, whose parent acts for them."""
        return self.patients[_CHILD]

    @property
    def newcomer_devices(self) -> tuple[Device, ...]:
        """What measures or treats the newcomer: in bed, worn, at home."""
        return self._devices_of(3)

    def _devices_of(self, number: int) -> tuple[Device, ...]:
        """Name what measures or treats the patient with this number in the list."""
        lists = (self.pumps, self.monitors, self.wearables)
        homes = (hub for n, hub in enumerate(self.hubs) if self.patients[number] in self.household(n))
        return (*(some[number] for some in lists if number < len(some)), *homes)

    def household(self, number: int) -> tuple[Patient, Patient]:
        """Name the two people whom a hub serves."""
        return self.patients[number], self.patients[number + 3]


def build(
    seed: int,
    start: datetime,
    *,
    patients: int = 24,
    pumps: int = 6,
    monitors: int = 7,
    hubs: int = 2,
    wearables: int = 4,
) -> Hospital:
    """Make a hospital.

    Args:
        start: aware UTC; birth dates, consents and stays count from it.
        patients: with a bed; at least one for each pump, monitor and wearable, and eight.
        hubs: at most four.
    """
    if patients < max(8, pumps, monitors, wearables) or hubs > 4:
        raise ValueError("a hospital needs at least eight patients and one for each device")
    rng = Random(f"{seed}/people")
    people = [_patient(rng, index, start, _choice_of(index)) for index in range(patients)]
    # The canary lies in the second bed, which has a pump and a monitor; the last one in a bed with devices
    # was never registered, as happens before the paper work is done.
    people[1] = _changed(
        people[1], family=names.CANARY[0], given=names.CANARY[1], canary=True, choice=Choice.DENIES, sex="F"
    )
    last = max(pumps, monitors) - 1
    if last > 3:
        people[last] = _changed(people[last], registered=False, choice=Choice.NEVER_ASKED)
    people[_CHILD] = _changed(people[_CHILD], born=(start - timedelta(days=_CHILD_DAYS)).strftime("%Y%m%d"))
    count = len(people)
    spare = [p for p in people[max(pumps, monitors) :] if p.registered] or [people[0]]
    duplicates = tuple(
        (_changed(p, mrn=_number(count + i), visit=_visit(count + i)), p) for i, p in enumerate(spare[:2])
    )
    count += len(duplicates)
    child = people[_CHILD]
    mothers = [p for p in people if p.sex == "F" and not p.canary and p.registered and p is not child][:2]
    newborns = tuple(_newborn(rng, count + i, start, m) for i, m in enumerate(mothers))
    count += len(newborns)
    unknowns = tuple(_unknown(rng, count + i, start) for i in range(1))
    return Hospital(
        seed, start, tuple(people), duplicates, newborns, unknowns,
        tuple(_device("pump", i) for i in range(pumps)),
        tuple(_device("monitor", i) for i in range(monitors)),
        Device("ADT-FEED", "00AC3F0000000001", "adt", "Registrar", "Patient index 9", "RG-9-0001", ""),
        Device("ADT-CLINIC", "00AC3F0000000002", "adt", "Registrar", "Clinic desk 2", "RG-2-0002", ""),
        tuple(_at_home("hub", i) for i in range(hubs)),
        tuple(_at_home("wearable", i) for i in range(wearables)),
    )  # fmt: skip


def _choice_of(index: int) -> Choice:
    return (Choice.PERMITS, Choice.DENIES, Choice.NEVER_ASKED, Choice.PERMITS, Choice.ENDED, Choice.NARROWS)[
        index % 6
    ]


def _number(index: int) -> str:
    # 7919 is prime to the range: numbers look scattered and never repeat.
    return str(_FIRST_NUMBER + index * 7_919 % 2_800_000)


def _visit(index: int) -> str:
    return f"V98{index * 104_729 % 10_000_000:07d}"


def _changed(patient: Patient, **changes: object) -> Patient:
    from dataclasses import replace

    changed = replace(patient, **changes)  # type: ignore[arg-type]  # names and types are the fields' own
    return replace(changed, email=_email(changed.given, changed.family, changed.mrn))


def _email(given: str, family: str, number: str) -> str:
    plain = "".join(c for c in f"{given}.{family}".lower() if c.isascii() and (c.isalpha() or c == "."))
    return f"{plain}.{number[-4:]}@example.org"


def _patient(rng: Random, index: int, start: datetime, choice: Choice) -> Patient:
    sex = rng.choice("FM")
    given = rng.choice(names.GIVEN_FEMALE if sex == "F" else names.GIVEN_MALE)
    family = names.FAMILY[(index * 5 + rng.randrange(5)) % len(names.FAMILY)]
    town, postcode = rng.choice(names.TOWNS)
    born = start - timedelta(days=rng.randrange(18 * 365, 89 * 365))
    doctor = rng.choice(names.STAFF)
    return Patient(
        mrn=_number(index), family=family, given=given, middle=rng.choice(("", "", "J", "Q")), sex=sex,
        born=born.strftime("%Y%m%d"), street=f"{rng.randrange(2, 240)} {rng.choice(names.STREETS)}", town=town,
        postcode=postcode, phone=f"(0555) {rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}",
        email=_email(given, family, _number(index)), insurance=f"ZN{rng.randrange(10**9, 10**10)}", visit=_visit(index),
        ward=WARDS[index % len(WARDS)], room=str(100 + index // 2), bed="AB"[index % 2],
        relative=(family, rng.choice(names.GIVEN_MALE + names.GIVEN_FEMALE), f"(0556) {rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}"),
        doctor=(f"D{4000 + names.STAFF.index(doctor)}", *doctor), choice=choice,
    )  # fmt: skip


def _newborn(rng: Random, index: int, start: datetime, mother: Patient) -> Patient:
    baby = _patient(rng, index, start, Choice.NEVER_ASKED)
    return _changed(
        baby, family=mother.family, given="Neonate", middle="", born=start.strftime("%Y%m%d"), street=mother.street,
        town=mother.town, postcode=mother.postcode, mother=mother.mrn, relative=(mother.family, mother.given, mother.phone),
    )  # fmt: skip


def _unknown(rng: Random, index: int, start: datetime) -> Patient:
    found = _patient(rng, index, start, Choice.NEVER_ASKED)
    return _changed(
        found,
        family="Zzunidentified",
        given="Unnamed",
        middle="",
        born="",
        street="",
        town="",
        postcode="",
        phone="",
        insurance="",
    )


def _device(kind: str, index: int) -> Device:
    number = index + 1
    if kind == "pump":
        eui = f"0012210000A1{number:04X}"
        return Device(
            f"PUMP-{number:02d}",
            eui,
            kind,
            "Alderwick",
            "Volumo 3",
            f"AV3-{20_400 + number}",
            WARDS[index % len(WARDS)],
        )
    eui = f"0019770000B2{number:04X}"
    return Device(
        f"MONITOR-{number:02d}",
        eui,
        kind,
        "Castellan",
        "Vigil M8",
        f"CV8-{71_300 + number}",
        WARDS[index % len(WARDS)],
    )


def _at_home(kind: str, index: int) -> Device:
    number = index + 1
    if kind == "hub":
        return Device(
            f"HOMEHUB-{number:02d}",
            f"0019770000C3{number:04X}",
            kind,
            "Farnleigh",
            "Hearth 2",
            f"FH2-{52_100 + number}",
            "",
        )
    return Device(
        f"WATCH-{number:02d}",
        f"0019770000D4{number:04X}",
        kind,
        "Pellworth",
        "Wrist 5",
        f"PW5-{33_700 + number}",
        "",
    )
