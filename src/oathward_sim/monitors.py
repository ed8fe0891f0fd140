"""Patient monitors: twenty observations a report (PCD-01, about 2.2 KB), and alarms (PCD-04).

Rules:
- The QT interval with six decimals (in a unit no monitor would show) is the marker of a report; of an
  alarm it is the measured value that caused it.

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

# code and reference id, unit, lowest and highest of what a quiet patient shows, decimals, normal range
SIGNS = (
    ("147842^MDC_ECG_HEART_RATE", "/min", 52, 118, 0, "50-120"),
    ("149530^MDC_PULS_OXIM_PULS_RATE", "/min", 52, 118, 0, "50-120"),
    ("150456^MDC_PULS_OXIM_SAT_O2", "%", 91, 100, 0, "90-100"),
    ("150488^MDC_PULS_OXIM_PERF_REL", "1", 1, 9, 1, ""),
    ("151562^MDC_RESP_RATE", "{resp}/min", 9, 26, 0, "8-30"),
    ("150037^MDC_PRESS_BLD_ART_ABP_SYS", "mm[Hg]", 95, 160, 0, "90-160"),
    ("150038^MDC_PRESS_BLD_ART_ABP_DIA", "mm[Hg]", 50, 95, 0, "50-90"),
    ("150039^MDC_PRESS_BLD_ART_ABP_MEAN", "mm[Hg]", 65, 110, 0, "60-110"),
    ("150021^MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", 95, 160, 0, "90-160"),
    ("150022^MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]", 50, 95, 0, "50-90"),
    ("150023^MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]", 65, 110, 0, "60-110"),
    ("150087^MDC_PRESS_BLD_VEN_CENT_MEAN", "mm[Hg]", 2, 12, 0, ""),
    ("150364^MDC_TEMP_BODY", "Cel", 36, 38, 1, "36-38.5"),
    ("151708^MDC_CONC_AWAY_CO2_ET", "mm[Hg]", 30, 46, 0, ""),
    ("131841^MDC_ECG_AMPL_ST_I", "mm", 0, 2, 1, ""),
    ("131842^MDC_ECG_AMPL_ST_II", "mm", 0, 2, 1, ""),
    ("148066^MDC_ECG_V_P_C_RATE", "/min", 0, 6, 0, ""),
)
_QT = "147236^MDC_ECG_TIME_PD_QTc"


def reports(
    hospital: Hospital, device: Device, source: int, who: Patient | None, rules: Sequence[Rule]
) -> Iterator[Planned]:
    """Make one monitor's reports and alarms, for ever; arguments as in ``pumps.reports``."""
    rng = Random(f"{hospital.seed}/{device.name}")
    latin = source % 3 == 0 and _fits_latin(who)  # some makers never left ISO 8859-1
    index = 0
    while True:
        at = hospital.start + index * _STEP
        mark = marker(source, index)
        control_id = f"{device.name}-{hospital.seed}-{index:06d}"
        alarm = index % _ALARM_EVERY == _ALARM_EVERY - 1
        make = _alarm if alarm else _report
        lines = make(device, at, control_id, who, mark, rng, "8859/1" if latin else "UNICODE UTF-8")
        type_ = "ORU^R40" if alarm else "ORU^R01"
        people = (who,) if who else ()
        must = targets(rules, "monitor", type_, people)
        data = message(lines, "iso-8859-1" if latin else "utf-8")
        yield Planned(control_id, mark, type_, (who.mrn,) if who else (), data, must)
        index += 1


def _fits_latin(who: Patient | None) -> bool:
    return who is None or all(ord(c) < 256 for c in who.family + who.given)


def _report(
    device: Device, at: datetime, control_id: str, who: Patient | None, mark: str, rng: Random, charset: str
) -> list[str]:
    items = [
        Row("69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC", "1.0.0.0"),
        Row("69838^MDC_DEV_METER_PHYSIO_MULTI_PARAM_VMD^MDC", "1.1.0.0"),
    ]
    for number, (code, unit, low, high, decimals, reference) in enumerate(SIGNS, 1):
        value = rng.uniform(low, high)
        age_s = 240 if "NONINV" in code else 0  # a cuff measures now and then
        items.append(
            Row(f"{code}^MDC", f"1.1.1.{number}", "NM", f"{value:.{decimals}f}", unit, reference, age_s=age_s)
        )
    items.append(Row(f"{_QT}^MDC", f"1.1.1.{len(SIGNS) + 1}", "NM", mark, "ms"))
    return [
        header(device, at, control_id, "ORU^R01^ORU_R01", PCD_01, charset),
        *patient(who),
        order(device, at, control_id, "69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC"),
        *rows(device, at, items),
    ]


def _alarm(
    device: Device, at: datetime, control_id: str, who: Patient | None, mark: str, rng: Random, charset: str
) -> list[str]:
    priority = rng.choice(("PH", "PM", "PL"))
    items = [
        Row("196670^MDC_EVT_LO^MDC", "1.1.1.1", "ST", "Saturation low", status="F"),
        Row("150456^MDC_PULS_OXIM_SAT_O2^MDC", "1.1.1.2", "NM", mark, "%", "90-100", status="F"),
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
