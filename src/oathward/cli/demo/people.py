"""The people of a demo: invented, at least one a role, so that two-person work can be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oathward_sim.hospital import Hospital

INES, PRIYA, CLARA, NILS = "Ines Brandt", "Priya Raman", "Clara Nunez", "Nils Egger"
"""Who flows of messages, privacy and patients are the work of; and a clerk of the interfaces, who is curious."""

_PEOPLE = (
    ("Adam Berg", "administrator"),
    ("Audrey Finch", "auditor"),
    (CLARA, "clinician"),
    ("Dana Okafor", "clinical-engineer"),
    (INES, "integration-engineer"),
    ("Kim Sato", "key-holder"),
    (NILS, "integration-engineer"),
    (PRIYA, "privacy-officer"),
    ("Sam Whitlock", "security-analyst"),
    ("Viktor Hale", "vendor-user"),
)


def people_csv(hospital: Hospital) -> str:
    """Write them as ``people found`` reads it; the clinician works on the newcomer's ward, the vendor sees one make."""
    units = f"OATH|{hospital.newcomer.ward}"
    make = hospital.pumps[0].make
    rows = ["number,name,mail,roles,party,units,makes"]
    for number, (name, role) in enumerate(_PEOPLE, 1):
        mail = f"{name.lower().replace(' ', '.')}@hospital.example"
        theirs = f"{make},,{make}" if role == "vendor-user" else f",{units if role == 'clinician' else ''},"
        rows.append(f"P{number:03d},{name},{mail},{role},{theirs}")
    return "\n".join(rows) + "\n"


AGREEMENTS = (
    (
        *("DUA-2026-001", "--party", "Example University", "--kind", "DUA", "--purposes", "HRESCH"),
        *(
            "--destinations",
            "research-registry",
            "--classes",
            "*",
            "--from",
            "2026-01-01",
            "--until",
            "2030-12-31",
        ),
    ),
    (
        *("MSA-2026-007", "--party", "Example Devices Inc.", "--kind", "service", "--purposes", "HOPERAT"),
        *(
            "--destinations",
            "vendor-cloud",
            "--classes",
            "*",
            "--from",
            "2026-01-01",
            "--until",
            "2030-12-31",
        ),
    ),
)
"""What the starter bundle's links name, as `governance agreement add` takes it."""

_FLOWS = ("ehr", "home-care", "research-registry", "vendor-cloud")


def register_csv(ids: Mapping[str, str]) -> str:
    """Write who answers for links and recipients, as ``governance import`` reads it; ids: name -> person id."""
    rows = [("link", name) for name in (*_FLOWS, "keep")] + [("recipient", name) for name in _FLOWS]
    theirs = f"{ids[PRIYA]},{ids[INES]},active,2030-01-01"
    lines = [f"{kind},{name},{theirs}" for kind, name in rows]
    return "\n".join(["kind,id,owner,steward,state,review_due", *lines]) + "\n"
