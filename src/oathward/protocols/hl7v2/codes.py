"""Which coding systems are standard, which observation codes name a person, which device texts are words of a list.

Rules:
- Everything here reads *normal forms*: bytes in which each digit is ``0`` (see ``shapes``); only the codes of
  ``PERSONAL`` are compared exactly.
- A system is standard when it is in the table **and** the code looks like one of its codes: free text with
  ``LN`` behind it is not LOINC.
- Display text beside a standard code passes only when it says no more than the code: it is the code itself
  and has no digits (of digits nobody here knows whether they are the same), or it is an MDC reference id.
  Anything else is somebody's typing, and may be a name or a number.
- A device text passes as an observation only when its code is in ``ENUMERATED`` and the text is a word of the
  form which that list has.

Deliberately absent: the code systems themselves; nobody checks here that a code exists.

Source: HL7 table 0396 (coding systems), CDC's implementation guide for immunization messaging 1.5 (CDCPHINVS); LOINC 2.82; ISO/IEEE 11073-10101; IHE PCD TF-2 (PCD-01, PCD-04, PCD-10).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from oathward.protocols.hl7v2 import forms

_Match = Callable[[bytes], object]


def _form(pattern: bytes) -> _Match:
    return re.compile(pattern).fullmatch


_PLAIN = _form(rb"[A-Z0.\-]{1,12}")
_ICD = _form(rb"[A-Z]?0[0A-Z](?:\.?[0A-Z]{1,5})?")
_ICD_9 = _form(rb"[EV]?0{2,3}(?:\.?0{1,2})?")
_SNOMED = _form(rb"0{6,18}")
_HL7 = _form(rb"[A-Za-z0.\-_+*]{1,12}")

STANDARD: dict[bytes, _Match] = {
    b"MDC": _form(rb"0{1,10}"),
    b"LN": _form(rb"(?:L[AP])?0{1,7}-0"),
    b"LOINC": _form(rb"(?:L[AP])?0{1,7}-0"),
    b"SCT": _SNOMED,
    b"SNOMED-CT": _SNOMED,
    b"SNOMED": _SNOMED,
    b"SCT0": _SNOMED,
    b"I0": _ICD_9,
    b"I0C": _ICD_9,
    b"I0CDX": _ICD_9,
    b"I0CP": _ICD_9,
    b"I00": _ICD,
    b"I00C": _ICD,
    b"I00P": _form(rb"[0A-Z]{7}"),
    b"C0": _form(rb"0{4}[0A-Z]"),
    b"CPT": _form(rb"0{4}[0A-Z]"),
    b"HCPCS": _form(rb"[A-Z]0{4}"),
    b"NDC": _form(rb"0{4,5}-?0{3,4}-?0{1,2}"),
    b"RXNORM": _form(rb"0{1,8}"),
    b"CVX": _form(rb"0{1,4}"),
    b"MVX": _form(rb"[A-Z]{2,4}"),
    b"UCUM": _form(forms.UNIT_PATTERN),
    b"ISO+": _form(forms.UNIT_PATTERN),
    b"ATC": _form(rb"[A-Z](?:00(?:[A-Z](?:[A-Z](?:00)?)?)?)?"),
    b"DCM": _form(rb"0{5,6}"),
    b"CDCREC": _form(rb"0{4}-0"),
    b"CDCPHINVS": _form(rb"(?:PHC|VXC)0{1,3}"),
    b"NCI": _form(rb"C0{2,7}"),
    b"NUBC": _PLAIN,
    b"ISO0000_0": _form(rb"[A-Z]{2,3}|0{3}"),
    b"ISO0000": _form(rb"[A-Z]{2}"),
    b"ISO000": _form(rb"[A-Za-z]{2,3}"),
}
"""Name of a standard coding system in its normal form (``I10C`` is ``I00C``) -> what its codes look like."""

_HL7_TABLE = re.compile(rb"HL00{4}").fullmatch  # HL7nnnn


def standard(system: bytes, code: bytes) -> bool:
    """Say whether ``code`` is of a standard coding system; both in normal form."""
    if not system or not code:
        return False
    form = STANDARD.get(system)
    if form is None:
        form = _HL7 if _HL7_TABLE(system) else None
    return form is not None and form(code) is not None


PERSONAL: dict[bytes, str] = {
    b"21112-8": "patient.birth-date",
    b"81954-0": "patient.birth-date",
    b"31211-6": "patient.birth-date",
    b"45392-8": "patient.name",
    b"52461-1": "patient.name",
    b"45393-6": "patient.name",
    b"45394-4": "patient.name",
    b"54125-0": "patient.name",
    b"76435-7": "patient.identifier",
    b"46106-1": "patient.identifier",
    b"45396-9": "patient.identifier",
    b"45397-7": "patient.identifier",
    b"45400-9": "patient.identifier",
    b"76698-0": "patient.identifier",
    b"42077-8": "patient.contact",
    b"56799-0": "patient.address",
    b"45401-7": "patient.address",
    b"30525-0": "patient.demographic",
    b"29553-5": "patient.demographic",
    b"21611-9": "patient.demographic",
    b"21612-7": "patient.demographic",
    b"46098-0": "patient.demographic",
    b"21840-4": "patient.demographic",
    b"72143-4": "patient.demographic",
    b"74698-2": "patient.demographic",
    b"76689-9": "patient.demographic",
    b"32624-9": "patient.demographic",
    b"72826-1": "patient.demographic",
    b"59362-4": "patient.demographic",
    b"69490-1": "patient.demographic",
    b"45404-1": "patient.demographic",
    b"11341-5": "patient.demographic",
    b"74711-3": "device.identity",
}
"""LOINC code -> the class of its value, where that is no measurement. Exact digits."""

PERSONAL_FORMS = frozenset(re.sub(rb"[1-9]", b"0", code) for code in PERSONAL)
"""Normal forms of those codes: only a code of such a form needs its digits looked at."""

_PERSONAL_MDC = re.compile(
    rb"MDC_ATTR_PT_(?!WEIGHT|HEIGHT|BSA|BMI|TYPE)[A-Z0_]+|MDC_ATTR_(?=[A-Z_]*PATIENT)[A-Z_]+"
)
_DEVICE_MDC = re.compile(
    rb"MDC_ATTR_(?:SYS_ID|ID_SOFT|SERIAL[A-Z_]*|UDI|PROD_SPECN?|ID_PROD_SPECN)|MDC_ID_PROD_SPEC_SERIAL"
)
_MODEL_MDC = re.compile(
    rb"MDC_ATTR_ID_MODEL|MDC_ID_(?:MODEL_[A-Z_]+|PROD_SPEC_(?:HW|SW|FW|PROTOCOL_REV|PART))"
)


def mdc_class(name: bytes) -> str:
    """Give the class of the value of an MDC attribute that is no measurement, by its reference id; else empty."""
    if _PERSONAL_MDC.fullmatch(name):
        if b"DOB" in name or b"BIRTH" in name:
            return "patient.birth-date"
        if b"NAME" in name:
            return "patient.name"
        return "patient.demographic" if b"_ID" not in name else "patient.identifier"
    if _DEVICE_MDC.fullmatch(name):
        return "device.identity"
    return "device.type" if _MODEL_MDC.fullmatch(name) else ""


_PHASE = _form(
    rb"tpoint|start|continue|end|present|update|escalate|de-escalate|reset|start_only|stop|inactivation_state[a-z_]*"
)
_STATUS = _form(
    rb"(?:pump|pmode|pstat|dose|delivery|drug-library|program|infusion|reason|kvo|clinician)(?:-[a-z0]{2,16}){1,5}"
)

ENUMERATED: dict[bytes, _Match] = {
    b"MDC_ATTR_EVENT_PHASE": _PHASE,
    b"MDC_ATTR_ALERT_SOURCE": _form(rb"0{1,10}(?:\^MDC_[A-Z0_]{1,60}\^MDC)?"),
    b"MDC_ATTR_ALARM_STATE": _form(rb"inactive|active|latched"),
    b"MDC_ATTR_ALERT_STATE": _form(rb"inactive|active|latched"),
    b"MDC_ATTR_ALARM_INACTIVATION_STATE": _form(
        rb"enabled|disabled|(?:audio|alarm)-(?:paused|off)|acknowledged"
    ),
    b"MDC_ATTR_ALERT_INACTIVATION_STATE": _form(
        rb"enabled|disabled|(?:audio|alarm)-(?:paused|off)|acknowledged"
    ),
    b"MDC_ATTR_ALARM_PRIORITY": _form(rb"P[NLMH]"),
    b"MDC_ATTR_ALERT_PRIORITY": _form(rb"P[NLMH]"),
    b"MDC_ATTR_ALERT_TYPE": _form(rb"S[PTA]"),
    b"MDC_ATTR_ALARM_TYPE": _form(rb"S[PTA]"),
    b"MDC_ATTR_POWER_STATUS": _form(rb"on(?:Mains|Battery)|charging(?:Full|Trickle|Off)"),
    b"MDC_PUMP_STAT": _STATUS,
    b"MDC_PUMP_MODE": _STATUS,
    b"MDC_PUMP_INFUSING_STATUS": _STATUS,
    b"MDC_PUMP_NOT_DELIVERING_REASON": _STATUS,
    b"MDC_PUMP_DRUG_LIBRARY_SOURCE": _STATUS,
    b"MDC_DEV_PUMP_CURRENT_DELIVERY_STATUS": _STATUS,
    b"MDC_DEV_PUMP_NOT_DELIVERING_REASON": _STATUS,
    b"MDC_DEV_PUMP_PROGRAM_STATUS": _STATUS,
}
"""MDC reference id of an enumeration or device setting -> the form of its words (normal form)."""


def enumerated(name: bytes, text: bytes) -> bool:
    """Say whether ``text`` is a word of the enumeration that the MDC reference id ``name`` has."""
    form = _PHASE if name.startswith(b"MDC_EVT_") else ENUMERATED.get(name)
    return form is not None and form(text) is not None


_REFERENCE_ID = _form(rb"MDCX?_[A-Z0_]{1,120}")
_REFERENCE_ID_DIGITS_MAX = 4


def display(system: bytes, code: bytes, text: bytes) -> bool:
    """Say whether display text says no more than its code; all in normal form.

    Source: ISO/IEEE 11073-10101 (reference ids; ``MDC_CONC_AWAY_CO2_ET`` is about as many digits as one has).
    """
    if not standard(system, code):
        return False
    digits = text.count(b"0")
    if system == b"MDC" and _REFERENCE_ID(text):
        return digits <= _REFERENCE_ID_DIGITS_MAX
    return text == code and not digits
