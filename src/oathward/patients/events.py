"""What each ADT trigger says about identities.

Rules:
- One row a trigger, with its source; a trigger that is not here says nothing about identities, and those of which one
  might think otherwise are listed with the reason (``NOT_OURS``).
- Patients are merged, changed and linked by edges that can be undone; accounts and visits never tie patients: one that
  was given to two people identifies neither. What we do not do is refused with a finding, and the message flows.
- Only a source the inventory marks authoritative is believed; ``adt.py`` does what the verb says.

Source: HL7 v2.8.2 chapter 3, section given with each row; withdrawn ones as v2.3–v2.6 defined them.
"""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """What to do with the identities in a message."""

    UPSERT = "upsert"  # the patient is this: identifiers, card, words
    MERGE = "merge"  # the patient of MRG is the patient of PID
    MERGE_ALL = "merge-all"  # and the account of MRG became the patient's
    VISITS = "visits"  # an account or visit number is, or became, this patient's
    CHANGE = "change"  # the identifiers of MRG are replaced by those of PID, same patient
    LINK = "link"  # two patients belong together
    UNLINK = "unlink"  # and no longer do
    PAIR = "pair"  # about two patients, changes neither
    UNSUPPORTED = "unsupported"  # says something we do not do: findings, nothing changed


TYING = frozenset((Verb.MERGE, Verb.MERGE_ALL, Verb.CHANGE, Verb.LINK, Verb.UNLINK))
"""Verbs that tie or part subjects."""

EVENTS: dict[str, Verb] = {
    "A01": Verb.UPSERT,  # §3.3.1 admit
    "A04": Verb.UPSERT,  # §3.3.4 register
    "A05": Verb.UPSERT,  # §3.3.5 pre-admit
    "A08": Verb.UPSERT,  # §3.3.8 update patient information
    "A28": Verb.UPSERT,  # §3.3.28 add person
    "A31": Verb.UPSERT,  # §3.3.31 update person information
    "A17": Verb.PAIR,  # §3.3.17 swap patients' beds
    "A18": Verb.MERGE,  # v2.6 §3.3.18 merge patient information, by MRG-1 (withdrawn)
    "A24": Verb.LINK,  # §3.3.24 link patient information
    "A30": Verb.MERGE,  # v2.6 §3.3.30 merge person information (withdrawn)
    "A34": Verb.MERGE,  # v2.6 §3.3.34 merge, patient id only (withdrawn)
    "A35": Verb.VISITS,  # v2.6 §3.3.35 merge, account number only (withdrawn)
    "A36": Verb.MERGE_ALL,  # v2.6 §3.3.36 merge, patient id and account number (withdrawn)
    "A37": Verb.UNLINK,  # §3.3.37 unlink
    "A39": Verb.MERGE,  # v2.6 §3.3.39 merge person, patient id (MRG-4, withdrawn)
    "A40": Verb.MERGE,  # §3.3.40 merge patient, patient identifier list
    "A41": Verb.VISITS,  # §3.3.41 merge account, account number
    "A42": Verb.VISITS,  # §3.3.42 merge visit, visit number
    "A43": Verb.UNSUPPORTED,  # §3.3.43 move: a number (PID-3 = MRG-1) changes its person, with all kept under it
    "A44": Verb.VISITS,  # §3.3.44 move account (MRG-3) from one patient to another: identifies nobody alone
    "A45": Verb.VISITS,  # §3.3.45 move visit (MRG-5) from one account to another
    "A46": Verb.CHANGE,  # v2.6 §3.3.46 change patient id (withdrawn)
    "A47": Verb.CHANGE,  # §3.3.47 change patient identifier list
    "A48": Verb.CHANGE,  # v2.6 §3.3.48 change alternate patient id, MRG-2 to PID-4 (withdrawn)
    "A49": Verb.VISITS,  # §3.3.49 change patient account number
    "A50": Verb.VISITS,  # §3.3.50 change visit number
}

NOT_OURS: dict[str, str] = {
    "A51": "§3.3.51 change alternate visit id: PV1-50 and MRG-6 identify nobody here",
    "A02": "§3.3.2 transfer: PV1-3 and PV1-6 are places",
    "A06": "§3.3.6 outpatient to inpatient: the patient stays; the next A08 gives a new visit number",
    "A07": "§3.3.7 inpatient to outpatient: as A06",
    "A29": "§3.3.29 delete person information: a record goes there, not the person; erasure is asked for here",
}
"""Triggers that change nothing about who is who, though they carry MRG or sound like it -> section and why."""
