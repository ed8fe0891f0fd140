"""What a column of a list may mean: attributes, the words headers have for them, and what stands in their cells.

Rules:
- One table for every mapped format and for the proposal of a mapping.
- A header that names a patient is never read, whatever a mapping says (``names_patient``).
- The words are compared folded: case, accents, signs and spaces do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from oathward.discovery.model import MarkKind


class Kind(StrEnum):
    """What stands in the cells of a column."""

    TEXT = "text"
    MAC = "mac"
    ADDRESS = "address"
    EUI64 = "eui64"
    UDI = "udi"
    HOST = "host"
    DATE = "date"
    MOMENT = "moment"
    SERIAL = "serial"
    YES_NO = "yes-no"
    LIFECYCLE = "lifecycle"


class Attribute(NamedTuple):
    """One attribute. ``headers``: folded spellings; ``mark``: what it tells apart by; ``fact``: whether it is said of the endpoint too."""

    words: str
    headers: tuple[str, ...]
    kind: Kind = Kind.TEXT
    mark: MarkKind | None = None
    fact: bool = True


ATTRIBUTES: Mapping[str, Attribute] = {
    "tag": Attribute("the site's own number of it", ("tag", "asset tag", "asset number", "asset no", "asset id", "asset", "equipment number", "equipment no", "equipment id", "inventory number", "inventory no", "inventory id", "control number", "cmms id", "device id", "barcode", "inventarnummer", "inventar nr", "anlagennummer", "geratenummer", "numero d inventaire", "numero de inventario"), mark=MarkKind.TAG),
    "serial": Attribute("serial number", ("serial", "serial number", "serial no", "serial nr", "serialnumber", "s n", "sn", "seriennummer", "serien nr", "numero de serie", "no de serie"), Kind.SERIAL, MarkKind.SERIAL),
    "udi": Attribute("UDI as on its label, or UDI-DI", ("udi", "udi carrier", "udi hrf", "udi di", "unique device identifier", "unique device identification", "device identifier", "gtin"), Kind.UDI, MarkKind.UDI),
    "mac": Attribute("numbers of its network cards", ("mac", "mac address", "mac addresses", "mac adresse", "mac id", "hardware address", "ethernet address", "physical address", "wlan mac", "lan mac", "wireless mac", "wired mac", "adresse mac", "direccion mac"), Kind.MAC, MarkKind.MAC, fact=False),
    "address": Attribute("IP addresses", ("ip", "ip address", "ip addresses", "ip adresse", "ipv4", "ipv4 address", "ipv6", "ipv6 address", "primary ip", "adresse ip", "direccion ip"), Kind.ADDRESS, MarkKind.ADDRESS, fact=False),
    "eui64": Attribute("EUI-64", ("eui 64", "eui64", "system id", "obx 18"), Kind.EUI64, MarkKind.EUI64, fact=False),
    "host": Attribute("host name", ("host", "host name", "hostname", "dns name", "fqdn", "computer name", "network name", "rechnername", "nom d hote", "nombre de host"), Kind.HOST, MarkKind.HOST),
    "ae-title": Attribute("AE title (PS3.8)", ("ae", "ae title", "aet", "aetitle", "dicom ae title", "ae titel"), mark=MarkKind.AE_TITLE),
    "application": Attribute("sending application (MSH-3)", ("msh 3", "sending application", "application"), mark=MarkKind.APPLICATION),
    "account": Attribute("account or id at its vendor", ("account", "account id", "hub id", "hub", "wearable id", "sensor id", "device id", "deviceid", "user device", "enrolment id", "enrollment id", "kit id", "kit number"), mark=MarkKind.ACCOUNT, fact=False),
    "behind": Attribute("account or id of the hub it is heard through", ("gateway id", "gateway", "via hub", "hub account", "paired hub", "parent hub", "parent device"), mark=MarkKind.ACCOUNT, fact=False),
    "last-heard": Attribute("when it was last heard", ("last heard", "last seen", "last sync", "last contact", "last transmission", "last connected", "last upload", "last reading", "zuletzt gesehen", "letzter kontakt", "dernier contact", "ultimo contacto"), Kind.MOMENT, fact=False),
    "name": Attribute("name", ("name", "device name", "equipment name", "asset name", "description", "equipment description", "device description", "bezeichnung", "designation", "descripcion", "nombre")),
    "make": Attribute("maker", ("make", "maker", "manufacturer", "mfr", "mfg", "vendor", "vendor name", "brand", "hersteller", "fabricant", "fabricante", "marque")),
    "model": Attribute("model", ("model", "model name", "model number", "model no", "modelnumber", "product", "product name", "modell", "typenbezeichnung", "modele", "modelo")),
    "firmware": Attribute("firmware", ("firmware", "firmware version", "firmware revision", "fw version", "fw", "version")),
    "software": Attribute("software and its version", ("software", "software version", "software revision", "sw version", "application version", "softwarestand", "logiciel")),
    "os": Attribute("operating system", ("os", "operating system", "os version", "os name", "betriebssystem", "systeme d exploitation", "sistema operativo")),
    "type": Attribute("type of device", ("type", "device type", "equipment type", "category", "device category", "equipment category", "modality", "asset type", "gerateart", "geratetyp", "kategorie", "categorie", "categoria", "tipo")),
    "criticality": Attribute("clinical criticality", ("criticality", "clinical criticality", "risk", "risk level", "risk class", "risk score", "priority", "kritikalitat", "risikoklasse", "criticite", "criticidad")),
    "consequence": Attribute("consequence of failure", ("consequence", "consequence of failure", "failure consequence", "impact")),
    "stores-phi": Attribute("whether it stores patients' data", ("phi", "stores phi", "stores patient data", "ephi", "contains phi"), Kind.YES_NO),
    "location": Attribute("place", ("location", "room", "room number", "site location", "place", "floor", "building", "standort", "raum", "emplacement", "salle", "ubicacion")),
    "site": Attribute("site", ("site", "campus", "facility", "hospital", "haus", "etablissement", "sede")),
    "unit": Attribute("ward or unit", ("unit", "ward", "care unit", "nursing unit", "clinic", "service", "station", "patient care area", "unite", "unidad", "servicio")),
    "owner": Attribute("owner", ("owner", "department", "dept", "cost center", "cost centre", "responsible", "responsible department", "owning department", "abteilung", "kostenstelle", "eigentumer", "proprietaire", "departamento")),
    "steward": Attribute("who looks after it", ("steward", "technician", "maintained by", "service provider", "custodian", "support group", "biomed", "betreuer", "responsable")),
    "last-maintenance": Attribute("last maintenance", ("last maintenance", "last pm", "last pm date", "last pm done", "pm completed", "last service", "last service date", "last inspection", "last calibration", "letzte wartung", "letzte stk", "derniere maintenance", "ultimo mantenimiento"), Kind.DATE),
    "next-maintenance": Attribute("next maintenance due", ("next maintenance", "next pm", "next pm date", "pm due", "pm due date", "next service", "next inspection", "nachste wartung", "nachste stk", "prochaine maintenance", "proximo mantenimiento"), Kind.DATE),
    "lifecycle": Attribute("in use, loan, repair, stored, retired", ("status", "state", "lifecycle", "life cycle", "asset status", "equipment status", "etat", "estado"), Kind.LIFECYCLE),
    "segment": Attribute("VLAN or network segment", ("segment", "vlan", "vlan id", "network segment", "subnet", "ssid", "network"), fact=False),
    "switch-port": Attribute("port of a switch", ("switch port", "switchport", "network port", "port", "wall jack", "data jack", "outlet", "netzwerkdose", "prise reseau")),
    "certificate": Attribute("SHA-256 of its certificate, hexadecimal", ("certificate", "certificate sha256", "cert fingerprint", "fingerprint", "thumbprint"), mark=MarkKind.CERTIFICATE),
}  # fmt: skip
"""Attribute -> what it is, in the words that hospitals' lists have for it."""

_PATIENT = re.compile(
    r"(patient|pt|pat|subject|wearer|member)(s| s)?( (id|ids|no|nr|number|name|names|first name|last name|mrn|dob|birth date|date of birth"
    r"|gender|sex|age|phone|mobile|telephone|e ?mail|email|address|street|zip|city|room|bed|ssn|identifier))?"
    r"|mrn|medical record number|dob|date of birth|birth ?date|geburtsdatum|patienten ?(id|nr|nummer|name)|fallnummer|nhs number|ssn"
    r"|social security number|first name|last name|surname|family name|given name|vorname|nachname|date de naissance|fecha de nacimiento|data di nascita|(kranken)?versicherte(r|n(nummer| nr|name)?)|versicherungsnummer|kvnr"
    r"|fall ?nr|aufnahmenummer|numero de securite sociale|codice fiscale|burgerservicenummer|historia clinica|encounter (id|number)|visit (id|number)"
)
_OF_WHOM = frozenset(
    ("patient", "patients", "patienten", "patientin", "paciente", "pacientes", "paziente", "pazienti")
)
_WHICH = frozenset(
    ("id", "ids", "no", "nr", "nummer", "number", "numero", "name", "names", "nom", "nome", "nombre", "mrn", "dob", "birth", "born", "initials")
)  # fmt: skip
"""Words that tell which patient, in a header that has one of a patient beside them."""


@cache
def folded(header: str) -> str:
    """Fold a header as the table has it: ``S/N.`` -> ``s n``, ``Gerätenummer`` -> ``geratenummer``."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    kept = "".join(" " if not c.isalnum() else c for c in plain if not unicodedata.combining(c))
    return " ".join(kept.split())


@cache
def _spellings(list_: str) -> Mapping[str, str]:
    left = _ELSEWHERE.get(list_, frozenset())
    own = {name.replace("-", " "): name for name in ATTRIBUTES if name not in left}
    return {word: name for name, one in ATTRIBUTES.items() if name not in left for word in one.headers} | own


_ELSEWHERE = {"cmms": frozenset(("account", "behind", "last-heard")), "vendor": frozenset(("tag",))}
"""List -> attributes whose words mean others in it: a "device id" is the site's number in one, the vendor's in the other."""


def named(header: str, list_: str = "cmms") -> str:
    """Give the attribute a header names in that kind of list; empty where it names none, or a patient."""
    return "" if names_patient(header) else _spellings(list_).get(folded(header), "")


def names_patient(header: str) -> bool:
    """Say whether a header names a patient or what is known of one."""
    words = set(folded(header).split())
    told = words <= _OF_WHOM or (words & _OF_WHOM and words & _WHICH)
    return bool(words and told) or _PATIENT.fullmatch(folded(header)) is not None
