"""The vocabulary of device types: our words, with the FDA's product code and class where the type is a medical device.

Rules:
- A word names what a device is for, not who made it. What is no medical device has no code.
- The code is that of the usual device of the type; a device's own stands in the device catalogue, by its UDI-DI, and outranks it.
- ``criticality`` and ``consequence`` are what is usual for the type: a guess of small confidence until the site says otherwise.

Source: FDA Product Classification (product code, device class: 21 CFR 862-892); consequence words after AAMI/IHE risk classes: ``death``, ``injury``,
``delay``, ``none``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceType:
    """One type. ``code``, ``device_class``: of the FDA; empty for what is no medical device."""

    words: str
    code: str = ""
    device_class: str = ""
    criticality: str = ""
    consequence: str = ""
    phi: str = ""


TYPES: Mapping[str, DeviceType] = {
    "infusion-pump": DeviceType("infusion pump", "FRN", "2", "high", "death", "yes"),
    "syringe-pump": DeviceType("syringe pump", "FRN", "2", "high", "death", "yes"),
    "patient-monitor": DeviceType("patient monitor", "MHX", "2", "high", "death", "yes"),
    "central-station": DeviceType("central monitoring station", "MHX", "2", "high", "death", "yes"),
    "ventilator": DeviceType("ventilator", "CBK", "2", "high", "death", "yes"),
    "anaesthesia": DeviceType("anaesthesia machine", "BSZ", "2", "high", "death", "yes"),
    "defibrillator": DeviceType("defibrillator", "MKJ", "3", "high", "death", "yes"),
    "dialysis": DeviceType("dialysis machine", "KDI", "2", "high", "death", "yes"),
    "incubator": DeviceType("infant incubator", "FMZ", "2", "high", "injury", "no"),
    "ecg": DeviceType("electrocardiograph", "DPS", "2", "medium", "delay", "yes"),
    "pulse-oximeter": DeviceType("pulse oximeter", "DQA", "2", "medium", "injury", "no"),
    "glucose-meter": DeviceType("glucose meter", "NBW", "2", "medium", "injury", "yes"),
    "blood-gas": DeviceType("blood gas analyser", "CHL", "2", "high", "delay", "yes"),
    "lab-analyser": DeviceType("laboratory analyser", "JJE", "1", "medium", "delay", "yes"),
    "ct": DeviceType("computed tomography", "JAK", "2", "high", "delay", "yes"),
    "mr": DeviceType("magnetic resonance imaging", "LNH", "2", "high", "delay", "yes"),
    "x-ray": DeviceType("X-ray system", "KPR", "2", "high", "delay", "yes"),
    "ultrasound": DeviceType("ultrasound system", "IYN", "2", "medium", "delay", "yes"),
    "mammography": DeviceType("mammography system", "MUE", "2", "medium", "delay", "yes"),
    "nuclear-medicine": DeviceType("emission tomography", "KPS", "2", "medium", "delay", "yes"),
    "endoscopy": DeviceType("endoscopy system", "FDS", "2", "medium", "delay", "yes"),
    "radiotherapy": DeviceType("radiotherapy system", "IYE", "2", "high", "death", "yes"),
    "pacs": DeviceType("image archive and communication system", "LLZ", "2", "high", "delay", "yes"),
    "medication-cabinet": DeviceType("medication cabinet", "", "", "medium", "delay", "yes"),
    "weighing-scale": DeviceType("patient scale", "FRI", "1", "low", "none", "no"),
    "wearable": DeviceType("wearable sensor", "", "", "low", "none", "yes"),
    "home-hub": DeviceType("home hub", "", "", "low", "delay", "yes"),
    "nurse-call": DeviceType("nurse call", "ILQ", "1", "high", "injury", "no"),
    "device-gateway": DeviceType("gateway of medical devices", "", "", "high", "delay", "yes"),
    "interface-engine": DeviceType("interface engine", "", "", "high", "delay", "yes"),
    "ehr-server": DeviceType("server of health records", "", "", "high", "delay", "yes"),
    "server": DeviceType("server"),
    "workstation": DeviceType("workstation"),
    "thin-client": DeviceType("thin client"),
    "printer": DeviceType("printer"),
    "phone": DeviceType("phone"),
    "voip-phone": DeviceType("desk phone"),
    "tablet": DeviceType("tablet"),
    "camera": DeviceType("camera"),
    "access-point": DeviceType("wireless access point"),
    "switch": DeviceType("switch"),
    "router": DeviceType("router"),
    "firewall": DeviceType("firewall"),
    "storage": DeviceType("network storage"),
    "building-controller": DeviceType("building controller", "", "", "medium", "delay", "no"),
    "power-supply": DeviceType("uninterruptible power supply", "", "", "high", "delay", "no"),
    "door-control": DeviceType("door control"),
    "display": DeviceType("display"),
    "sensor": DeviceType("sensor"),
    "smart-plug": DeviceType("switched socket"),
    "light": DeviceType("light"),
    "appliance": DeviceType("household appliance"),
}
"""Word of the vocabulary -> what it is."""

_ALSO = {
    "pump": "infusion-pump",
    "iv pump": "infusion-pump",
    "volumetric pump": "infusion-pump",
    "syringe driver": "syringe-pump",
    "monitor": "patient-monitor",
    "bedside monitor": "patient-monitor",
    "physiologic monitor": "patient-monitor",
    "anesthesia machine": "anaesthesia",
    "ekg": "ecg",
    "ct scanner": "ct",
    "mri": "mr",
    "us": "ultrasound",
    "analyser": "lab-analyser",
    "analyzer": "lab-analyser",
    "pc": "workstation",
    "ups": "power-supply",
    "hvac": "building-controller",
    "wap": "access-point",
    "ap": "access-point",
    "nas": "storage",
    "ip camera": "camera",
    "smartphone": "phone",
}


def type_of(words: str) -> str:
    """Give the word of the vocabulary for what a source calls a device; empty where it has none."""
    folded = " ".join(words.casefold().replace("_", " ").split())
    if folded.replace(" ", "-") in TYPES:
        return folded.replace(" ", "-")
    return _ALSO.get(folded) or _BY_WORDS.get(folded, "")


_BY_WORDS = {one.words.casefold(): word for word, one in TYPES.items()}
