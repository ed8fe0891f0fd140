"""What devices told of one patient, as a clinician wants it: latest values, trends, alarms, gaps. In memory only.

Rules:
- Values travel as ``Phi`` until the template writes them; nothing here is kept, logged or counted by value.
- The latest of a code is by the device's own time; of equal times the message that came last. No time is later than
  its message came: a clock that goes ahead makes neither a value nor a gap of the future.
- A gap is where nothing came for three times as long as usual, and for two minutes at least; a trend shows it as a gap,
  never as a line. What was not measured is not zero, and nothing is made up between two values.
- A value whose device took it back (OBX-11 ``D``, ``W``; ``entered-in-error``) is not shown.

Deliberately absent: reading of formats (``hl7v2``, ``fhir``, ``card``), alarms of our own, any judgement of a value:
flags are the device's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from oathward.core.phi import Phi

MINUTE_US = 60_000_000
GAP_US_MIN = 2 * MINUTE_US
GAP_TIMES = 3
GAPS_MAX = 20
ALARMS_MAX = 100
CODES_MAX = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one device.

    Args:
        code: ``system|code``. name: as people read it. number: for the trend; None where it is none.
        flag: the device's own (``H``, ``LL``, ``A``), empty for none.
        at_us: when it was measured; when it came where the device did not say.
    """

    code: str
    name: str
    value: Phi[str]
    number: Phi[float | None]
    unit: str
    at_us: int
    message: str
    flag: str = ""
    limits: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as the device worded it; ``priority`` and ``state`` in its own codes."""

    words: Phi[str]
    priority: str
    phase: str
    state: str
    at_us: int
    message: str


@dataclass(frozen=True, slots=True)
class Called:
    """Who the patient is, as the card or the newest message says."""

    name: Phi[str]
    born: Phi[str]
    number: Phi[str]


@dataclass(slots=True)
class Told:
    """What some originals told.

    ``unread``: messages that could not be read here, or are about several patients. ``codes``: fields that were read
    already, for as long as this is being made: devices say the same codes and units again and again.
    """

    readings: list[Reading] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    called: Called | None = None
    unread: int = 0
    codes: dict[tuple[bytes, bytes, str], tuple[str, str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """No data of a code from one moment to another; ``until_us`` None: still none."""

    name: str
    from_us: int
    until_us: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """One code: its latest value, and the numbers before, oldest first."""

    latest: Reading
    device: str
    points: tuple[tuple[int, float], ...]
    every_us: int
    silent: bool


def rows(readings: Iterable[Reading], devices: dict[str, str], now_us: int) -> list[Row]:
    """Give one row a code and place, flagged ones first, then by name.

    Args:
        devices: message -> the device it came from.
    """
    found: dict[tuple[str, str], list[Reading]] = {}
    for one in readings:
        found.setdefault((one.code, one.place), []).append(one)
    made = [_row(some, devices, now_us) for some in list(found.values())[:CODES_MAX]]
    return sorted(made, key=lambda row: (not row.latest.flag, row.latest.name.casefold(), row.latest.place))


def _row(readings: list[Reading], devices: dict[str, str], now_us: int) -> Row:
    readings.sort(key=lambda one: (one.at_us, one.message))
    latest = readings[-1]
    numbers = [(one.at_us, one.number.reveal()) for one in readings]
    points = tuple((at_us, number) for at_us, number in numbers if number is not None)
    every_us = usual_us([one.at_us for one in readings])
    silent = bool(every_us) and now_us - latest.at_us > longest_us(every_us)
    return Row(latest, devices.get(latest.message.partition(".")[0], ""), points, every_us, silent)


def usual_us(times: Sequence[int]) -> int:
    """Say how long it usually is from one value to the next; 0 where that cannot be told."""
    between = [b - a for a, b in pairwise(times) if b > a]
    return int(median(between)) if len(between) > 1 else 0


def longest_us(every_us: int) -> int:
    """Say from when on a silence is a gap."""
    return max(GAP_US_MIN, GAP_TIMES * every_us)


def gaps(found: Iterable[Row]) -> list[Gap]:
    """List the gaps in what comes regularly, newest first; those that still are before all others."""
    made = []
    for row in found:
        if not row.every_us:
            continue
        if row.silent:
            made.append(Gap(row.latest.name, row.latest.at_us, None))
        times = [at_us for at_us, _ in row.points]
        longest = longest_us(row.every_us)
        made += [Gap(row.latest.name, a, b) for a, b in pairwise(times) if b - a > longest]
    return sorted(made, key=lambda gap: (gap.until_us is not None, -gap.from_us))[:GAPS_MAX]


def alarms(found: Iterable[Alarm]) -> list[Alarm]:
    """Give the newest alarms first."""
    return sorted(found, key=lambda one: (one.at_us, one.message), reverse=True)[:ALARMS_MAX]


def unit_words(unit: str) -> str:
    """Write a unit as it stands on a device's own screen; one that is not known as it came.

    Source: UCUM (case sensitive codes).
    """
    return _UNITS.get(unit, unit)


_UNITS = {
    "mm[Hg]": "mmHg",
    "cm[H2O]": "cmH₂O",
    "Cel": "°C",
    "{resp}/min": "/min",
    "{beats}/min": "/min",
    "1": "",
}


def pretty(code: str, text: str) -> str:
    """Name what was measured: a device's words, or a reference id of IEEE 11073-10101 as words."""
    text = text.strip() or code.partition("|")[2]
    if not text.startswith("MDC_"):
        return text
    known = _NAMES.get(text)
    if known:
        return known
    words = text.removeprefix("MDC_").replace("_", " ").lower()
    return words[:1].upper() + words[1:]


_NAMES = {
    "MDC_ECG_HEART_RATE": "Heart rate (ECG)",
    "MDC_PULS_RATE": "Pulse rate",
    "MDC_PULS_OXIM_PULS_RATE": "Pulse rate (SpO₂)",
    "MDC_PULS_OXIM_SAT_O2": "SpO₂",
    "MDC_PULS_OXIM_PERF_REL": "Perfusion index",
    "MDC_RESP_RATE": "Respiration rate",
    "MDC_CO2_RESP_RATE": "Respiration rate (CO₂)",
    "MDC_PRESS_BLD_ART_ABP_SYS": "Arterial pressure, systolic",
    "MDC_PRESS_BLD_ART_ABP_DIA": "Arterial pressure, diastolic",
    "MDC_PRESS_BLD_ART_ABP_MEAN": "Arterial pressure, mean",
    "MDC_PRESS_BLD_NONINV_SYS": "Cuff pressure, systolic",
    "MDC_PRESS_BLD_NONINV_DIA": "Cuff pressure, diastolic",
    "MDC_PRESS_BLD_NONINV_MEAN": "Cuff pressure, mean",
    "MDC_PRESS_BLD_VEN_CENT_MEAN": "Central venous pressure",
    "MDC_TEMP": "Temperature",
    "MDC_TEMP_BODY": "Body temperature",
    "MDC_CONC_AWAY_CO2_ET": "End-tidal CO₂",
    "MDC_ECG_V_P_C_RATE": "Ventricular extrasystoles",
    "MDC_ECG_TIME_PD_QTc": "QTc",
    "MDC_ECG_AMPL_ST_I": "ST, lead I",
    "MDC_ECG_AMPL_ST_II": "ST, lead II",
    "MDC_ECG_ELEC_POTL_I": "ECG, lead I",
    "MDC_ECG_ELEC_POTL_II": "ECG, lead II",
    "MDC_FLOW_FLUID_PUMP": "Infusion rate",
    "MDC_VOL_FLUID_DELIV": "Volume delivered",
    "MDC_VOL_FLUID_TBI": "Volume to be infused",
    "MDC_VOL_FLUID_TBI_REMAIN": "Volume left to infuse",
    "MDC_CONC_DRUG": "Drug concentration",
    "MDC_DRUG_NAME_TYPE": "Drug",
    "MDC_PUMP_STAT": "Pump status",
    "MDC_PUMP_MODE": "Pump mode",
    "MDC_ATTR_NOTE_TEXT": "Note",
}
"""Reference ids of IEEE 11073-10101 that stand at a bedside most often, in words."""
