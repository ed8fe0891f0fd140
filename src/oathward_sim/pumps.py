"""Infusion pumps: PCD-01 reports, now and then with a note that names the patient.

Rules:
- The volume delivered is the marker of a message.
- A few messages carry names where no profile expects them: a comment (NTE-3), a text observation
  (OBX-5, TX), and, rarest, a drug name typed by a nurse who wrote the patient into it.

Source: IHE PCD TF-2 3.1 and 3.3 (infusion pump containment: delivery and source channels); codes of
IEEE 11073-10101.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

from oathward_sim.devices import PCD_01, Row, header, order, patient, rows
from oathward_sim.hl7 import message, segment, text
from oathward_sim.hospital import Device, Hospital, Patient
from oathward_sim.plan import Planned, Rule, marker, targets

DRUGS = (
    ("Norepinephrine", 0.08, 6.0),
    ("Propofol", 10.0, 12.0),
    ("Potassium chloride", 3.0, 100.0),
    ("Morphine", 1.0, 2.0),
    ("Midazolam", 1.0, 4.0),
    ("Sodium chloride 0.9%", 9.0, 80.0),
)
"""Drug, concentration in mg/mL, and rate in mL/h, as an intensive care unit runs them."""
_NOTE_EVERY, _MISUSE_EVERY, _TURNED_EVERY = 7, 23, 240
_STEP = timedelta(milliseconds=500)


def reports(
    hospital: Hospital, device: Device, source: int, who: Patient | None, rules: Sequence[Rule]
) -> Iterator[Planned]:
    """Make one pump's reports, for ever.

    Args:
        source: its marker number.
        who: the patient it is associated with; None for a pump that was never told.
    """
    rng = Random(f"{hospital.seed}/{device.name}")
    drug, concentration, usual = rng.choice(DRUGS)
    rate, left = usual, rng.uniform(200.0, 480.0)
    index = 0
    while True:
        at = hospital.start + index * _STEP
        mark = marker(source, index)
        control_id = f"{device.name}-{hospital.seed}-{index:06d}"
        noted = who is not None and index % _NOTE_EVERY == _NOTE_EVERY - 1
        misused = who is not None and index % _MISUSE_EVERY == _MISUSE_EVERY - 1
        if index % _TURNED_EVERY == _TURNED_EVERY - 1:  # somebody turned it up or down a little
            rate = round(usual * rng.uniform(0.8, 1.2), 1)
        left = left - rate * _STEP.total_seconds() / 3_600 if left > 1 else 480.0  # a new bag
        called = drug if not misused or who is None else f"{drug} for {who.family}"
        items = _rows(mark, called, concentration, rate, left)
        if noted and who is not None:
            items.append(
                Row(
                    "69643^MDC_ATTR_NOTE_TEXT^MDC",
                    "1.1.1.9",
                    "TX",
                    text(f"Line checked with {who.given} {who.family}, asleep"),
                )
            )
        lines = [
            header(device, at, control_id, "ORU^R01^ORU_R01", PCD_01),
            *patient(who),
            order(device, at, control_id, "69985^MDC_DEV_PUMP_INFUS_MDS^MDC"),
        ]
        if noted and who is not None:
            lines.append(
                segment(
                    "NTE",
                    {
                        1: "1",
                        3: text(f"{who.given} {who.family} ({who.mrn}) asked for {who.phone} to be called"),
                    },
                )
            )
        lines += rows(device, at, items)
        people = (who,) if who else ()
        must = targets(rules, "pump", "ORU^R01", people)
        # A name inside a value that a profile may let through is what the guard is for: care gets it; whoever
        # else it was meant for gets it without that value, or nothing.
        care = frozenset(r.recipient for r in rules if r.care)
        sure = must & care if misused else must
        yield Planned(
            control_id, mark, "ORU^R01", (who.mrn,) if who else (), message(lines), sure, must - sure
        )
        index += 1


def _rows(mark: str, drug: str, concentration: float, rate: float, left: float) -> list[Row]:
    return [
        Row("69985^MDC_DEV_PUMP_INFUS_MDS^MDC", "1.0.0.0"),
        Row("69986^MDC_DEV_PUMP_INFUS_VMD^MDC", "1.1.0.0"),
        Row("126978^MDC_DEV_PUMP_INFUS_CHAN_DELIVERY^MDC", "1.1.1.0"),
        Row("184508^MDC_PUMP_STAT^MDC", "1.1.1.1", "CWE", "^pump-status-infusing"),
        Row("184504^MDC_PUMP_MODE^MDC", "1.1.1.2", "CWE", "^pump-mode-continuous"),
        Row("157784^MDC_FLOW_FLUID_PUMP^MDC", "1.1.1.3", "NM", f"{rate:.1f}", "mL/h"),
        Row("157864^MDC_VOL_FLUID_DELIV^MDC", "1.1.1.4", "NM", mark, "mL"),
        Row("157872^MDC_VOL_FLUID_TBI_REMAIN^MDC", "1.1.1.5", "NM", f"{left:.0f}", "mL"),
        Row("126977^MDC_DEV_PUMP_INFUS_CHAN_SOURCE^MDC", "1.1.2.0"),
        Row("184330^MDC_DRUG_NAME_TYPE^MDC", "1.1.2.1", "ST", text(drug)),
        Row("157760^MDC_CONC_DRUG^MDC", "1.1.2.2", "NM", f"{concentration:g}", "mg/mL"),
    ]
