"""What offices of a simulated hospital hand over, as CSV: consents, the inventory, who may say who is who.

Deliberately absent: the people and devices themselves (``hospital``).
"""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from oathward_sim.hospital import AUTHORITY, Choice, Hospital

_MESSAGE_TYPES = {"adt": "ADT^*", "hub": "FHIR^*", "wearable": "FHIR^*"}


def consent_csv(hospital: Hospital) -> str:
    """Write consent facts as the privacy office would hand them over: one row a statement.

    The canary denies every purpose but care. Who narrows has a second row, which denies one class.
    """
    rows = []
    for p in hospital.patients:
        if p.choice is Choice.NEVER_ASKED:
            continue
        end = hospital.start + timedelta(days=-1 if p.choice is Choice.ENDED else 365)
        rows.append(
            {
                "identifier": p.mrn,
                "authority": AUTHORITY,
                "type": "MR",
                "permit": "no" if p.choice is Choice.DENIES else "yes",
                "purposes": "HRESCH;HOPERAT;HPAYMT;PUBHLTH" if p.canary else "HRESCH",
                "recipients": "*",
                "classes": "*",
                "from": (hospital.start - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "until": "" if p.choice is Choice.DENIES else end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "source": "paper form",
            }
        )
        if p.choice is Choice.NARROWS:
            rows.append(rows[-1] | {"permit": "no", "classes": "patient.birth-date", "until": ""})
    return _csv(rows)


def device_csv(hospital: Hospital) -> str:
    """Write the inventory as biomedical engineering would hand it over: one row a device."""
    return _csv(
        [
            {
                "id": d.name,
                "name": f"{d.make} {d.model}",
                "kind": d.kind,
                "make": d.make,
                "model": d.model,
                "serial": d.serial,
                "location": d.ward,
                "owner": "Biomedical engineering",
                "senders": d.name,
                "equipment": d.eui,
                "message types": _MESSAGE_TYPES.get(d.kind, "ORU^R01;ORU^R40"),
                "assigning authority": AUTHORITY,
            }
            for d in hospital.devices
        ]
    )


def authority_csv(hospital: Hospital) -> str:
    """Say which device may say who is who; believed only of one that has its certificate."""
    return _csv([{"id": hospital.feed.name, "authoritative adt": "yes"}])


def _csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
