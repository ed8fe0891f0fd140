"""What stands in a hospital: kinds of device with their share, makers, way onto the network, and whom they talk to at which hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

ALWAYS = (1.0,) * 24
WARD = (0.35,) * 6 + (
    0.7,
    1.0,
    1.0,
    1.0,
    1.0,
    0.9,
    0.9,
    0.9,
    0.9,
    0.9,
    0.8,
    0.8,
    0.8,
    0.7,
    0.6,
    0.5,
    0.4,
    0.4,
)
CLINIC = (0.0,) * 7 + (0.4, 1.0, 1.0, 1.0, 1.0, 0.6, 1.0, 1.0, 1.0, 0.8, 0.4, 0.1) + (0.0,) * 5
OFFICE = (0.02,) * 7 + (
    0.5,
    1.0,
    1.0,
    1.0,
    1.0,
    0.6,
    1.0,
    1.0,
    1.0,
    0.8,
    0.4,
    0.1,
    0.05,
    0.02,
    0.02,
    0.02,
    0.02,
)
LEISURE = (0.2, 0.1, 0.05, 0.05, 0.05, 0.1, 0.3, 0.5, 0.6, 0.6, 0.6, 0.6, 0.8, 0.7, 0.7, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 0.9, 0.6, 0.4)  # fmt: skip
"""Hour of the day -> how much of its busiest hour a device of this habit is used."""


class Talk(NamedTuple):
    """One conversation a kind of device has.

    Args:
        role: of the site's servers, or ``cloud`` for its maker's own. hourly: conversations in the busiest hour.
        service: as Zeek names it, empty where it names none. tls: its version, empty in clear text.
    """

    role: str
    port: int
    transport: str
    service: str
    hourly: float
    sent_bytes: int
    got_bytes: int
    tls: str = ""


DNS = Talk("dns", 53, "udp", "dns", 0.5, 45, 120)
NTP = Talk("ntp", 123, "udp", "ntp", 0.15, 48, 48)
HL7 = Talk("gateway", 2575, "tcp", "", 1.0, 6_000, 900)
DICOM = Talk("pacs", 11112, "tcp", "", 0.6, 40_000_000, 9_000)
WORKLIST = Talk("pacs", 11113, "tcp", "", 0.5, 3_000, 12_000)
PRINT = Talk("print", 631, "tcp", "ipp", 0.2, 300_000, 4_000)
EHR = Talk("ehr", 443, "tcp", "ssl", 1.5, 9_000, 90_000, "TLSv13")
PROXY = Talk("proxy", 443, "tcp", "ssl", 1.0, 8_000, 120_000, "TLSv13")
CLOUD = Talk("cloud", 443, "tcp", "ssl", 0.2, 12_000, 6_000, "TLSv12")
SIP = Talk("voice", 5060, "udp", "sip", 0.6, 2_000, 2_000)
BACNET = Talk("building", 47808, "udp", "", 1.5, 900, 1_100)
VIDEO = Talk("video", 554, "tcp", "", 0.3, 90_000, 30_000_000)
BROKER = Talk("broker", 8883, "tcp", "ssl", 0.3, 7_000, 1_500, "TLSv12")
WEB = Talk("proxy", 80, "tcp", "http", 0.1, 500, 900)
CLEAR_BROKER = Talk("broker", 1883, "tcp", "mqtt", 0.3, 7_000, 1_500)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of device.

    Args:
        word: its type. share: of all devices, any unit. segment: where it stands, wired and wireless.
        reach: ``wired``, ``wireless``, ``both``, ``gateway`` (no address: heard through one) or ``account`` (off the network).
        fixed: share with a fixed address. listed: share that the site's lists have.
        habit: when it is used. names: pattern of its host name; empty for none. random: share of random network addresses.
        speaks: ``hl7``, ``dicom`` or empty: whose heads name it on the wire. agent: how it calls itself in HTTP; empty where it does not.
        lease_h: of the addresses of its segment. moves: chance in an hour to be carried elsewhere.
    """

    word: str
    share: float
    segment: str
    reach: str
    talks: tuple[Talk, ...]
    fixed: float = 0.0
    listed: float = 0.95
    habit: tuple[float, ...] = ALWAYS
    names: str = ""
    random: float = 0.0
    speaks: str = ""
    agent: str = ""
    moves: float = 0.0
    medical: bool = False


KINDS = (
    Kind("infusion-pump", 14, "medical-wifi", "wireless", (HL7, NTP), habit=WARD, names="PMP-{serial}", speaks="hl7", moves=0.02, medical=True),
    Kind("syringe-pump", 4, "", "gateway", (), habit=WARD, speaks="hl7", medical=True),
    Kind("patient-monitor", 9, "medical", "both", (HL7, DNS, NTP), fixed=0.2, habit=WARD, names="MON-{unit}-{number}", speaks="hl7", moves=0.01, medical=True),
    Kind("ventilator", 2, "medical", "wired", (HL7, NTP), fixed=0.3, habit=WARD, speaks="hl7", medical=True),
    Kind("ultrasound", 1.5, "imaging", "both", (DICOM, WORKLIST, DNS), habit=CLINIC, names="US{number}", speaks="dicom", moves=0.03, medical=True),
    Kind("ct-scanner", 0.2, "imaging", "wired", (DICOM, WORKLIST, NTP, CLOUD), fixed=1.0, habit=WARD, names="CT{number}", speaks="dicom", medical=True),
    Kind("mr-scanner", 0.15, "imaging", "wired", (DICOM, WORKLIST, NTP, CLOUD), fixed=1.0, habit=CLINIC, names="MR{number}", speaks="dicom", medical=True),
    Kind("x-ray", 0.8, "imaging", "wired", (DICOM, WORKLIST), fixed=0.7, habit=WARD, names="XR{number}", speaks="dicom", medical=True),
    Kind("laboratory-analyser", 2, "laboratory", "wired", (HL7._replace(role="laboratory"), CLOUD, NTP), fixed=0.6, habit=WARD, names="LAB-{serial}", speaks="hl7", medical=True),
    Kind("central-station", 0.5, "medical", "wired", (HL7, DNS, NTP, PRINT), fixed=0.8, names="CS-{unit}-{number}", medical=True),
    Kind("workstation", 18, "office", "wired", (EHR, PROXY, DNS, PRINT), habit=OFFICE, names="WS-{tag}"),
    Kind("laptop", 6, "office", "both", (EHR, PROXY, DNS, PRINT), habit=OFFICE, names="LT-{tag}", moves=0.05),
    Kind("voip-phone", 10, "voice", "wired", (SIP, NTP), habit=WARD, names="SEP{mac}", listed=0.6),
    Kind("printer", 6, "print", "wired", (DNS._replace(hourly=0.1), NTP, WEB), fixed=0.5, habit=OFFICE, names="PRN{number}", agent="print-server/{firmware}", listed=0.7),
    Kind("tablet", 5, "medical-wifi", "wireless", (EHR, DNS), habit=WARD, names="TAB-{tag}", random=0.3, moves=0.05),
    Kind("staff-telephone", 6, "staff-wifi", "wireless", (PROXY, DNS), habit=LEISURE, names="handset-{serial}", random=0.85, listed=0.0, moves=0.05),
    Kind("patient-telephone", 8, "guest-wifi", "wireless", (PROXY, DNS), habit=LEISURE, names="handset", random=0.95, listed=0.0, moves=0.02),
    Kind("camera", 3, "building", "wired", (VIDEO, NTP, WEB), fixed=0.3, agent="webcam/{firmware}", listed=0.3),
    Kind("building-controller", 2, "building", "wired", (BACNET, WEB), fixed=0.9, agent="bas-web/{firmware}", listed=0.3),
    Kind("door-reader", 1.5, "building", "wired", (CLEAR_BROKER, NTP), names="DR{number}", listed=0.3),
    Kind("television", 2, "guest-wifi", "wireless", (PROXY, DNS, WEB), habit=LEISURE, names="tv", agent="tv-browser/{firmware}", listed=0.1),
    Kind("server", 1.5, "server", "wired", (DNS, NTP, PROXY), fixed=1.0, names="SRV{number}", listed=0.9),
    Kind("wearable", 2, "", "account", (), listed=0.0, medical=True),
    Kind("home-hub", 0.5, "", "account", (), listed=0.0, medical=True),
)  # fmt: skip
"""The mix. ``syringe-pump`` also brings its gateways, one for twenty."""

GATEWAY = Kind("device-gateway", 0, "medical", "wired", (HL7._replace(hourly=6.0), BROKER, NTP), fixed=0.5, names="GW-{unit}-{number}", speaks="", medical=True)  # fmt: skip
ROUTER = Kind("router", 0, "server", "wired", (), fixed=1.0, listed=0.0)
BEHIND_NAT = Kind("workstation", 0, "", "nat", (PROXY, DNS), habit=OFFICE, names="WS-{tag}")
INTRUDER = Kind("intruder", 0, "office", "wired", (PROXY,), names="localhost", listed=0.0)

SERVERS = {
    "dns": 2, "ntp": 1, "gateway": 1, "ehr": 2, "pacs": 1, "laboratory": 1, "print": 1, "proxy": 1, "voice": 1,
    "building": 1, "video": 1, "broker": 1, "dhcp": 1,
}  # fmt: skip
"""Role -> how many servers of each site have it."""

MAKERS: dict[str, tuple[str, ...]] = {
    "clinical": ("Halveric", "Ostrelle", "Quennab", "Tarnivo", "Brixholme", "Velumet", "Sorvane", "Jastrell"),
    "computing": ("Kordexa", "Plinthos", "Umbrax", "Wexlode", "Zandrel"),
    "building": ("Fenwarden", "Greltan", "Morvex", "Nubrisk"),
}
"""Makers that nobody ever was. The last of each row is held out: no list of examples to learn from has it."""

FIELDS = {
    "camera": "building", "building-controller": "building", "door-reader": "building", "television": "building",
}  # fmt: skip
"""Kind -> which makers make it; medical ones are ``clinical``, the rest ``computing``."""


def makers(kind: Kind) -> tuple[str, ...]:
    """Name who makes such a device."""
    return MAKERS[FIELDS.get(kind.word, "clinical" if kind.medical else "computing")]


def held_out(maker: str) -> bool:
    """Say whether no example to learn from may have this maker."""
    return any(row[-1] == maker for row in MAKERS.values())
