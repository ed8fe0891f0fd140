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

from oathward.discovery.lists.attributes import folded


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
    "television": DeviceType("television"),
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

_LISTS: Mapping[str, tuple[str, ...]] = {
    "infusion-pump": ("infusion pumps", "volumetric infusion pump", "large volume pump", "lvp", "pca pump", "smart pump", "Infusionspumpe", "Infusionspumpen", "Infusionsgerät", "Volumenpumpe", "Volumetrische Infusionspumpe", "Infusomat", "PCA-Pumpe", "Schmerzpumpe"),
    "syringe-pump": ("syringe pumps", "syringe infusion pump", "Spritzenpumpe", "Spritzenpumpen", "Perfusor", "Perfusorpumpe", "Spritzeninfusionspumpe"),
    "patient-monitor": ("patient monitors", "vital signs monitor", "multiparameter monitor", "multi parameter monitor", "transport monitor", "physiological monitor", "Patientenmonitor", "Patientenmonitore", "Überwachungsmonitor", "Patientenüberwachung", "Patientenüberwachungsmonitor", "Vitaldatenmonitor", "Vitalmonitor", "Transportmonitor", "Bettmonitor"),
    "central-station": ("central monitor", "central station", "nurse central station", "Überwachungszentrale", "Monitorzentrale", "Zentralmonitor", "Zentralstation"),
    "ventilator": ("ventilators", "icu ventilator", "transport ventilator", "respirator", "Beatmungsgerät", "Beatmungsgeräte", "Beatmung", "Intensivbeatmungsgerät", "Transportbeatmungsgerät", "Notfallbeatmungsgerät", "Heimbeatmungsgerät"),
    "anaesthesia": ("anesthesia", "anesthesia unit", "anaesthesia unit", "anesthesia workstation", "anaesthesia workstation", "Narkosegerät", "Narkosegeräte", "Anästhesiegerät", "Anästhesiearbeitsplatz", "Narkosearbeitsplatz"),
    "defibrillator": ("defibrillators", "defib", "aed", "automated external defibrillator", "monitor defibrillator", "Defi", "Defibrillatoren", "Halbautomatischer Defibrillator"),
    "dialysis": ("hemodialysis", "haemodialysis", "hemodialysis machine", "haemodialysis machine", "dialysis system", "crrt", "Dialyse", "Dialysegerät", "Dialysemaschine", "Hämodialyse", "Hämodialysegerät", "Hämofiltration"),
    "incubator": ("incubators", "neonatal incubator", "Inkubator", "Säuglingsinkubator", "Transportinkubator", "Brutkasten"),
    "ecg": ("ecg machine", "ekg machine", "ecg recorder", "ecg cart", "12 lead ecg", "electrocardiogram", "EKG-Gerät", "EKG-Schreiber", "Elektrokardiograph", "Elektrokardiograf", "Ruhe-EKG", "Belastungs-EKG", "Langzeit-EKG"),
    "pulse-oximeter": ("pulse oximeters", "oximeter", "spo2 monitor", "Pulsoximeter", "Pulsoxymeter", "Pulsoxi"),
    "glucose-meter": ("glucometer", "blood glucose meter", "poc glucose", "Blutzuckermessgerät", "Glukometer", "BZ-Messgerät", "Blutzucker"),
    "blood-gas": ("blood gas analyzer", "blood gas", "bga", "abg analyzer", "abg analyser", "Blutgasanalysegerät", "Blutgasanalysator", "Blutgasgerät", "Blutgasanalyse"),
    "lab-analyser": ("laboratory analyzer", "lab analyzer", "lab analyser", "clinical chemistry analyzer", "hematology analyzer", "haematology analyser", "Laborgerät", "Laboranalysegerät", "Laborautomat", "Analysegerät", "Analysator", "Hämatologiegerät"),
    "ct": ("ct system", "ct scan", "computer tomography", "Computertomograph", "Computertomograf", "Computertomographie", "CT-Gerät"),
    "mr": ("mri scanner", "mr scanner", "mri system", "mr system", "Magnetresonanztomograph", "Magnetresonanztomograf", "Kernspintomograph", "Kernspin", "MRT", "MRT-Gerät"),
    "x-ray": ("xray", "x ray", "x ray unit", "x ray machine", "mobile x ray", "radiography", "radiographic system", "c arm", "fluoroscopy", "Röntgen", "Röntgengerät", "Röntgenanlage", "Röntgensystem", "C-Bogen", "Durchleuchtung", "mobiles Röntgengerät"),
    "ultrasound": ("ultrasound machine", "ultrasound scanner", "ultrasound unit", "sonography", "echo", "Ultraschall", "Ultraschallgerät", "Ultraschallsystem", "Sonographie", "Sonografie", "Sonographiegerät", "Sono", "Echokardiographie"),
    "mammography": ("mammography", "mammography unit", "mammograph", "Mammographie", "Mammografie", "Mammographiegerät"),
    "nuclear-medicine": ("gamma camera", "spect", "pet", "pet ct", "spect ct", "Gammakamera", "Nuklearmedizin"),
    "endoscopy": ("endoscope", "endoscopy tower", "video endoscope", "Endoskop", "Endoskopie", "Endoskopieturm", "Endoskopiesystem", "Videoendoskop"),
    "radiotherapy": ("linac", "linear accelerator", "Linearbeschleuniger", "Strahlentherapie", "Bestrahlungsgerät"),
    "pacs": ("pacs server", "image archive", "Bildarchiv", "PACS-Server"),
    "medication-cabinet": ("automated dispensing cabinet", "dispensing cabinet", "Medikamentenschrank", "Arzneimittelschrank"),
    "weighing-scale": ("scale", "scales", "bed scale", "Waage", "Patientenwaage", "Personenwaage", "Bettwaage", "Säuglingswaage", "Stuhlwaage"),
    "wearable": ("wearable patch", "Körpersensor"),
    "nurse-call": ("nurse call system", "call system", "Schwesternruf", "Rufanlage", "Lichtruf", "Lichtrufanlage", "Patientenruf"),
    "device-gateway": ("medical device gateway", "device gateway", "bedside gateway", "Gerätegateway"),
    "interface-engine": ("integration engine", "Kommunikationsserver", "KIS-Schnittstelle"),
    "ehr-server": ("ehr", "emr", "his", "KIS", "KIS-Server", "Krankenhausinformationssystem"),
    "server": ("servers", "virtual server", "Rechenserver"),
    "workstation": ("work station", "desktop", "desktop computer", "laptop", "notebook", "computer", "Arbeitsplatz", "Arbeitsplatzrechner", "Rechner", "Visitenwagen"),
    "printer": ("printers", "label printer", "Drucker", "Etikettendrucker", "Multifunktionsgerät"),
    "phone": ("mobile phone", "patient telephone", "staff telephone", "Mobiltelefon", "Handy"),
    "voip-phone": ("voip", "ip phone", "ip telephone", "telephone", "Telefon", "IP-Telefon", "Tischtelefon"),
    "camera": ("cameras", "security camera", "Kamera", "Überwachungskamera"),
    "access-point": ("wireless ap", "wlan ap", "WLAN-Zugangspunkt", "WLAN-Access-Point"),
    "switch": ("network switch", "Netzwerkswitch", "Netzwerk-Switch"),
    "firewall": ("firewalls", "Firewall-System"),
    "storage": ("storage system", "Speicher", "Speichersystem", "Netzwerkspeicher"),
    "building-controller": ("building automation", "bms", "Gebäudeleittechnik", "Gebäudeautomation", "GLT"),
    "power-supply": ("USV", "USV-Anlage", "unterbrechungsfreie Stromversorgung"),
    "television": ("tv", "patient television", "Fernseher", "Fernsehgerät"),
    "door-control": ("access control", "door reader", "badge reader", "Zutrittskontrolle", "Türsteuerung"),
    "display": ("screen", "Bildschirm", "Anzeige"),
    "sensor": ("temperature sensor", "Temperatursensor", "Fühler"),
}  # fmt: skip
"""Word of the vocabulary -> how lists of hospitals write it, in English and German; each in the singular and where usual the plural."""


def type_of(words: str) -> str:
    """Give the word of the vocabulary for what a source calls a device, in English or German; empty where it has none."""
    return _BY_WORDS.get(_folded(words), "")


def _folded(words: str) -> str:
    """Fold case, signs and accents, and the German ways to write an umlaut: ``Beatmungsgeraet`` is ``Beatmungsgerät``."""
    plain = folded(words)
    for written, bare in (("ae", "a"), ("oe", "o"), ("ue", "u")):
        plain = plain.replace(written, bare)
    return plain


_BY_WORDS = {
    _folded(spelling): word
    for word, one in TYPES.items()
    for spelling in (*_LISTS.get(word, ()), one.words, word)
} | {_folded(spelling): word for spelling, word in _ALSO.items()}
