"""What pumps and monitors have in common: the header, the patient as a device knows them, OBX rows.

Source: IHE PCD TF-2 rev 9, 3.1 (PCD-01), Appendix B (OBX-4 containment MDS.VMD.CHAN.METRIC, OBX-18 EUI-64);
IEEE 11073-10101 reference identifiers and codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from oathward_sim.adt import identifier
from oathward_sim.hl7 import components, segment, stamp
from oathward_sim.hospital import Device, Patient

PCD_01 = "IHE_PCD_ORU_R01^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
PCD_04 = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.4.1^ISO"

UNITS = {
    "/min": "264864^MDC_DIM_BEAT_PER_MIN^MDC",
    "{resp}/min": "264928^MDC_DIM_RESP_PER_MIN^MDC",
    "%": "262688^MDC_DIM_PERCENT^MDC",
    "mm[Hg]": "266016^MDC_DIM_MMHG^MDC",
    "Cel": "268192^MDC_DIM_DEGC^MDC",
    "mm": "263442^MDC_DIM_MILLI_M^MDC",
    "ms": "264338^MDC_DIM_MILLI_SEC^MDC",
    "mL": "263762^MDC_DIM_MILLI_L^MDC",
    "mL/h": "265266^MDC_DIM_MILLI_L_PER_HR^MDC",
    "mg/mL": "264306^MDC_DIM_MILLI_G_PER_ML^MDC",
    "1": "262656^MDC_DIM_DIMLESS^MDC",
}
"""UCUM to OBX-6."""


@dataclass(frozen=True, slots=True)
class Row:
    """One OBX.

    Args:
        code: OBX-3. place: OBX-4. kind: OBX-2, empty for a row that only names a device level.
        unit: key of ``UNITS``, or empty. age_s: how long before the report it was measured.
    """

    code: str
    place: str
    kind: str = ""
    value: str = ""
    unit: str = ""
    reference: str = ""
    status: str = "R"
    age_s: int = 0


def header(
    device: Device, at: datetime, control_id: str, type_: str, profile: str, charset: str = "UNICODE UTF-8"
) -> str:
    """MSH of a device: enhanced mode, an application answer always."""
    return segment(
        "MSH",
        {
            3: device.application, 4: "OATHGEN", 5: "OATHWARD", 6: "OATHGEN", 7: stamp(at), 9: type_, 10: control_id,
            11: "P", 12: "2.6", 15: "NE", 16: "AL", 18: charset, 21: profile,
        },
    )  # fmt: skip


def patient(p: Patient | None) -> list[str]:
    """PID and PV1 as a device has them: number, name, sex; nothing when no patient is associated."""
    if p is None:
        return [segment("PID", {3: "", 5: "^^^^^^U"}), segment("PV1", {2: "U"})]
    fields = {3: identifier(p), 5: components(p.family, p.given, "", "", "", "", "L"), 7: p.born, 8: p.sex}
    return [
        segment("PID", fields),
        segment("PV1", {2: "I", 3: p.place, 19: components(p.visit, "", "", "HOSP", "VN")}),
    ]


def order(device: Device, at: datetime, control_id: str, code: str) -> str:
    """OBR: a device's report is its own order."""
    return segment("OBR", {1: "1", 2: components(control_id, device.name), 3: components(control_id, device.name, device.eui, "EUI-64"), 4: code, 7: stamp(at)})  # fmt: skip


def rows(device: Device, at: datetime, items: list[Row]) -> list[str]:
    """Write OBX rows, numbered from 1.

    Rows of device levels carry the equipment (OBX-18), which those below inherit; a row measured earlier than
    OBR-7 carries its own time (OBX-14).
    """
    equipment = components(device.name, "", device.eui, "EUI-64")
    lines = []
    for number, row in enumerate(items, 1):
        fields = {1: str(number), 3: row.code, 4: row.place, 11: row.status if row.kind else "X"}
        if row.kind:
            fields |= {2: row.kind, 5: row.value, 6: UNITS.get(row.unit, ""), 7: row.reference}
        else:
            fields[18] = equipment
        if row.age_s:
            fields[14] = stamp(at - timedelta(seconds=row.age_s))
        lines.append(segment("OBX", fields))
    return lines
