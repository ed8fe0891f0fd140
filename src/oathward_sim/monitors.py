"""Patient monitors: twenty observations a report (PCD-01, about 2.2 KB), and alarms (PCD-04).

Rules:
- End-tidal CO2 with six decimals is the marker of a report; of an alarm it is the heart rate that caused it. Sources of
  monitors begin at 41, so that both are values a patient may have (mmHg; a slow heart).
- Values of one patient drift and do not jump; what belongs together (heart and pulse rate, the three pressures) goes
  together. A cuff measures now and then and keeps its value in between.

Source: IHE PCD TF-2 3.1, 3.4 (ORU^R40 containment of an alert); codes of IEEE 11073-10101.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from oathward_sim.devices import PCD_01, PCD_04, Row, header, order, patient, rows
from oathward_sim.hl7 import message, segment
from oathward_sim.hospital import Device, Hospital, Patient
from oathward_sim.plan import Planned, Rule, marker, targets

_ALARM_EVERY = 9
_STEP = timedelta(milliseconds=500)

_CUFF_EVERY = 120
"""Reports between two measurements of the cuff."""

# code and reference id, unit, lowest and highest of what a quiet patient shows, step, decimals, limits of the alarms
SIGNS = (
    ("147842^MDC_ECG_HEART_RATE", "/min", 58, 96, 1, 0, "50-120"),
    ("149530^MDC_PULS_OXIM_PULS_RATE", "/min", 58, 96, 0, 0, "50-120"),
    ("150456^MDC_PULS_OXIM_SAT_O2", "%", 94, 99, 0.3, 0, "90-100"),
    ("150488^MDC_PULS_OXIM_PERF_REL", "%", 1.2, 6, 0.1, 1, ""),
    ("151562^MDC_RESP_RATE", "{resp}/min", 12, 20, 0.4, 0, "8-30"),
    ("150037^MDC_PRESS_BLD_ART_ABP_SYS", "mm[Hg]", 105, 145, 1, 0, "90-160"),
    ("150038^MDC_PRESS_BLD_ART_ABP_DIA", "mm[Hg]", 58, 82, 0.7, 0, "50-90"),
    ("150039^MDC_PRESS_BLD_ART_ABP_MEAN", "mm[Hg]", 70, 105, 0, 0, "60-110"),
    ("150021^MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", 105, 145, 4, 0, "90-160"),
    ("150022^MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]", 58, 82, 3, 0, "50-90"),
    ("150023^MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]", 70, 105, 0, 0, "60-110"),
    ("150087^MDC_PRESS_BLD_VEN_CENT_MEAN", "mm[Hg]", 3, 10, 0.2, 0, ""),
    ("150364^MDC_TEMP_BODY", "Cel", 36.4, 37.6, 0.01, 1, "36-38.5"),
    ("147236^MDC_ECG_TIME_PD_QTc", "ms", 390, 440, 1, 0, ""),
    ("131841^MDC_ECG_AMPL_ST_I", "mm", 0, 0.6, 0.03, 1, ""),
    ("131842^MDC_ECG_AMPL_ST_II", "mm", 0, 0.6, 0.03, 1, ""),
    ("148066^MDC_ECG_V_P_C_RATE", "/min", 0, 2, 0.1, 0, ""),
)
_CO2 = "151708^MDC_CONC_AWAY_CO2_ET"
_SAME = {1: 0}
"""Rows that show what another one does: the pulse is the heart rate."""
_MEANS = {7: (5, 6), 10: (8, 9)}
"""Rows that follow from a systolic and a diastolic pressure."""


class _Signs:
    """What one patient shows, as it drifts."""

    def __init__(self, rng: Random) -> None:
        self._rng, self._count = rng, 0
        self._values = [rng.uniform(low, high) for _, _, low, high, *_ in SIGNS]

    def next(self) -> list[str]:
        """Go on by one report, and give the values as they are written."""
        fresh = self._count % _CUFF_EVERY == 0
        self._count += 1
        for n, (code, _, low, high, step, *_) in enumerate(SIGNS):
            if "NONINV" not in code or fresh:
                drift = self._values[n] + self._rng.uniform(-step, step)
                self._values[n] = min(high, max(low, drift))
        for n, other in _SAME.items():
            self._values[n] = self._values[other]
        for n, (systolic, diastolic) in _MEANS.items():
            self._values[n] = (self._values[systolic] + 2 * self._values[diastolic]) / 3
        return [f"{value:.{row[5]}f}" for value, row in zip(self._values, SIGNS, strict=True)]


def reports(
    hospital: Hospital, device: Device, source: int, who: Patient | None, rules: Sequence[Rule]
) -> Iterator[Planned]:
    """Make one monitor's reports and alarms, for ever; arguments as in ``pumps.reports``."""
    rng = Random(f"{hospital.seed}/{device.name}")
    signs = _Signs(rng)
    latin = source % 3 == 0 and _fits_latin(who)  # some makers never left ISO 8859-1
    index = 0
    while True:
        at = hospital.start + index * _STEP
        mark = marker(source, index)
        control_id = f"{device.name}-{hospital.seed}-{index:06d}"
        alarm = index % _ALARM_EVERY == _ALARM_EVERY - 1
        charset = "8859/1" if latin else "UNICODE UTF-8"
        if alarm:
            lines = _alarm(device, at, control_id, who, mark, rng.choice(("PH", "PM", "PL")), charset)
        else:
            lines = _report(device, at, control_id, who, mark, signs.next(), charset)
        type_ = "ORU^R40" if alarm else "ORU^R01"
        people = (who,) if who else ()
        must = targets(rules, "monitor", type_, people)
        data = message(lines, "iso-8859-1" if latin else "utf-8")
        yield Planned(control_id, mark, type_, (who.mrn,) if who else (), data, must)
        index += 1


def _fits_latin(who: Patient | None) -> bool:
    return who is None or all(ord(c) < 256 for c in who.family + who.given)


def _report(
    device: Device,
    at: datetime,
    control_id: str,
    who: Patient | None,
    mark: str,
    values: Sequence[str],
    charset: str,
) -> list[str]:
    items = [
        Row("69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC", "1.0.0.0"),
        Row("69838^MDC_DEV_METER_PHYSIO_MULTI_PARAM_VMD^MDC", "1.1.0.0"),
    ]
    for number, ((code, unit, *_, reference), value) in enumerate(zip(SIGNS, values, strict=True), 1):
        age_s = 240 if "NONINV" in code else 0  # a cuff measures now and then
        items.append(Row(f"{code}^MDC", f"1.1.1.{number}", "NM", value, unit, reference, age_s=age_s))
    items.append(Row(f"{_CO2}^MDC", f"1.1.1.{len(SIGNS) + 1}", "NM", mark, "mm[Hg]"))
    return [
        header(device, at, control_id, "ORU^R01^ORU_R01", PCD_01, charset),
        *patient(who),
        order(device, at, control_id, "69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC"),
        *rows(device, at, items),
    ]


def _alarm(
    device: Device,
    at: datetime,
    control_id: str,
    who: Patient | None,
    mark: str,
    priority: str,
    charset: str,
) -> list[str]:
    items = [
        Row("196670^MDC_EVT_LO^MDC", "1.1.1.1", "ST", "Heart rate low", status="F"),
        Row("147842^MDC_ECG_HEART_RATE^MDC", "1.1.1.2", "NM", mark, "/min", "50-120", status="F"),
        Row("68481^MDC_ATTR_EVENT_PHASE^MDC", "1.1.1.3", "ST", "start", status="F"),
        Row("68482^MDC_ATTR_ALARM_STATE^MDC", "1.1.1.4", "ST", "active", status="F"),
        Row("68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC", "1.1.1.5", "ST", "enabled", status="F"),
        Row("68484^MDC_ATTR_ALARM_PRIORITY^MDC", "1.1.1.6", "ST", priority, status="F"),
        Row("68485^MDC_ATTR_ALERT_TYPE^MDC", "1.1.1.7", "ST", "SP", status="F"),
    ]
    request = segment(
        "OBR",
        {
            1: "1",
            3: f"{control_id}^{device.name}^{device.eui}^EUI-64",
            4: "196616^MDC_EVT_ALARM^MDC",
            7: f"{at:%Y%m%d%H%M%S%z}",
        },
    )
    return [
        header(device, at, control_id, "ORU^R40^ORU_R40", PCD_04, charset),
        *patient(who),
        request,
        *rows(device, at, items),
    ]
