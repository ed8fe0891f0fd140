"""The people of a demo: invented, one a role, so that two-person work can be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oathward_sim.hospital import Hospital

INES, PRIYA, CLARA = "Ines Brandt", "Priya Raman", "Clara Nunez"
"""Who flows of messages, privacy and patients are the work of."""

_PEOPLE = (
    ("Adam Berg", "administrator"),
    ("Audrey Finch", "auditor"),
    (CLARA, "clinician"),
    ("Dana Okafor", "clinical-engineer"),
    (INES, "integration-engineer"),
    ("Kim Sato", "key-holder"),
    (PRIYA, "privacy-officer"),
    ("Sam Whitlock", "security-analyst"),
    ("Viktor Hale", "vendor-user"),
)


def people_csv(hospital: Hospital) -> str:
    """Write them as ``people found`` reads it; the clinician works on one ward, the vendor sees one make."""
    units = f"OATH|{hospital.patients[0].ward}"
    make = hospital.pumps[0].make
    rows = ["number,name,mail,roles,party,units,makes"]
    for number, (name, role) in enumerate(_PEOPLE, 1):
        mail = f"{name.lower().replace(' ', '.')}@hospital.example"
        theirs = f"{make},,{make}" if role == "vendor-user" else f",{units if role == 'clinician' else ''},"
        rows.append(f"P{number:03d},{name},{mail},{role},{theirs}")
    return "\n".join(rows) + "\n"
