"""There and back between HL7 v2 and FHIR, for tests: what was lost, what came back, and messages with everything in them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable

from oathward.protocols.fhir.check import check
from oathward.protocols.hl7v2 import tables as hl7
from oathward.protocols.hl7v2.reader import Message, decode
from oathward.protocols.v2fhir import losses, tables, to_fhir
from oathward.protocols.v2fhir.back import from_fhir
from oathward.protocols.v2fhir.engine import every
from oathward.protocols.v2fhir.leaves import of_message, place
from oathward.protocols.v2fhir.reading import Reading

OUTGOING = "0123456789ABCDEFGHJKMNPQRS"
ADDITIONS = [name for places, _ in tables.rows("additions.tsv", 2) for name in places.split(" ")]
NUMBERED = re.compile(r"\[\d+\]")


class Round:
    """What one message, or several, lost and kept; each difference must be one of the published ones."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        self.lost: Counter[losses.Loss] = Counter()
        self.spelled: Counter[str] = Counter()
        self.added: Counter[str] = Counter()
        self.wrong: list[str] = []
        """Places, and what is wrong with them; no values."""

    def take(self, message: Message) -> Round:
        """Map one message there and back."""
        values, again = of_message(message), from_fhir(to_fhir(message, OUTGOING))
        zone = Reading(message, "").zone
        why = {at: losses.explain(at, values) for at in values}
        there = {at: text for at, text in values.items() if why[at] is None}
        ours, theirs = Numbers(there), Numbers(again)
        came = {theirs.of(at): text for at, text in again.items()}
        for at, text in there.items():
            form = losses.same(text, came[ours.of(at)], zone) if ours.of(at) in came else None
            if form is None:
                changed = "another value comes back" if ours.of(at) in came else "lost"
                self.wrong.append(f"{at}: {changed}, and not listed")
            else:
                self.kept[NUMBERED.sub("", at)] += 1
                self.spelled[form] += 1
        expected = {ours.of(at) for at in there}
        for at, loss in why.items():
            if loss is not None:
                self.lost[loss] += 1
                if (
                    ours.of(at) not in expected
                    and losses.same(values[at], came.get(ours.of(at), "")) is not None
                ):
                    self.wrong.append(f"{at}: listed as lost ({loss.place} {loss.when}), but it comes back")
        for where in came.keys() - expected:
            listed = [
                a for a in ADDITIONS if re.fullmatch(re.escape(a) + r"(\.\d+)*", NUMBERED.sub("", where))
            ]
            self.added.update(listed)
            if not listed:
                self.wrong.append(f"{where}: comes back though nothing said it, and not listed")
        return self


class Numbers:
    """Numbers of segments and repetitions, counted without those of which nothing is left."""

    def __init__(self, places: Iterable[str]) -> None:
        leaves = [losses.parsed(place) for place in places]
        self.segments = _ranks({(leaf.role, leaf.occurrence) for leaf in leaves})
        self.repetitions = _ranks(
            {(leaf.role, leaf.occurrence, leaf.field, leaf.repetition) for leaf in leaves}
        )

    def of(self, where: str) -> str:
        """Write a place with these numbers."""
        leaf = losses.parsed(where)
        segment = self.segments.get((leaf.role, leaf.occurrence), 0)
        again = self.repetitions.get((leaf.role, leaf.occurrence, leaf.field, leaf.repetition), 0)
        return place(leaf.role, segment, leaf.field, again, str(leaf.component), leaf.sub)


def _ranks(keys: set[tuple]) -> dict[tuple, int]:
    counts: Counter[tuple] = Counter()
    found = {}
    for key in sorted(keys):
        counts[key[:-1]] += 1
        found[key] = counts[key[:-1]]
    return found


def mistakes(bundle: bytes) -> list[str]:
    """List where a Bundle is not what FHIR R4 says, and entries that do not belong together."""
    whole = json.loads(bundle)
    found = [f"{issue.where}: {issue.why}" for issue in check(whole).issues]
    urls = [entry["request"]["url"] for entry in whole["entry"]]
    found += [f"{url} twice" for url, n in Counter(urls).items() if n > 1]
    for entry in whole["entry"]:
        resource = entry["resource"]
        condition = entry["request"].get("ifNoneMatch")
        update = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        if entry["request"] != update | ({"ifNoneMatch": "*"} if condition else {}):
            found.append(f"{entry['request']['url']}: not a PUT to the resource's own id")
        if condition and resource["id"].startswith(OUTGOING.lower()):
            found.append(f"{entry['request']['url']}: nobody else could have made it")
        found += [f"reference to {to}, which is not there" for to in references(resource) if to not in urls]
    return found


def references(node: object) -> Iterable[str]:
    """Give every literal reference."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


# --- messages with everything in them

_SIMPLE = {
    "NM": "12", "SI": "1", "SNM": "12", "DT": "20210709", "TM": "113324",
    "DTM": "20210709113324+0200", "TS": "20210709113324+0200", "ID": "ZZ", "IS": "ZZ",
}  # fmt: skip
_ROWS = {(row.segment, row.field): row for row in every()}
_CODES = {"PID-8": "M", "PID-24": "Y", "PID-30": "Y", "PV1-2": "I", "OBR-25": "F", "NK1-15": "F"}
_COUNTS = {"MSH": 28, "PD1": 23, "OBR": 55, "OBX": 33, "NTE": 9}
"""Fields of v2.9 that a sender may write already."""


def value(datatype: str, name: str, depth: int = 0) -> str:
    """Write a value of a datatype with all its parts; ``name`` makes it its own."""
    parts = hl7.datatypes().get(datatype, ())
    if not parts or depth > 1:
        return _SIMPLE.get(datatype, f"{name}")
    separator = "^&"[depth]
    return separator.join(
        value(cell[-1] if cell else "ST", f"{name}{'abcdefghijklmnopqrstuvwxy'[i]}", depth + 1)
        for i, cell in enumerate(parts)
    )


def field(segment: str, n: int) -> str:
    """Write field ``n`` with all its parts; twice where it may repeat."""
    if f"{segment}-{n}" in _CODES:
        return _CODES[f"{segment}-{n}"]
    cells = hl7.segments()[segment]
    cell = cells[n - 1] if n <= len(cells) else ("ST",)
    datatype = (cell or ("ST",))[-1]
    row = _ROWS.get((segment, n))
    if row and row.kind in hl7.datatypes():
        datatype = row.kind
    text = value(datatype, f"{segment}{n}")
    return f"{text}~{text.replace(segment, segment.lower())}"


def segment(name: str, **fields: str) -> str:
    """Write a segment with every field; ``f3="…"`` sets one."""
    count = max(_COUNTS.get(name, 0), len(hl7.segments()[name]))
    texts = [fields.get(f"f{n}", field(name, n)) for n in range(1, count + 1)]
    return "|".join([name, *texts])


def sparse(name: str, **fields: str) -> str:
    """Write a segment with the fields that are given."""
    count = max(int(key[1:]) for key in fields)
    return "|".join([name, *(fields.get(f"f{n}", "") for n in range(1, count + 1))])


def header(message: str) -> str:
    """Write MSH with every field."""
    text = segment("MSH", f7="20210709113324+0200", f9=message.replace("_", "^", 1) + f"^{message}", f10="C1", f12="2.8.2", f11="P^T", f18="UNICODE UTF-8")  # fmt: skip
    return "MSH|^~\\&|" + text.split("|", 3)[3]


def whole(event: str) -> Message:
    """Make an ADT with everything in it."""
    segments = [
        header(f"ADT_{event}"),
        *map(segment, ("EVN", "PID", "PD1", "NTE", "NK1", "MRG", "PV1", "PV2", "AL1")),
    ]
    return decode("\r".join(segments).encode() + b"\r")


def pair(event: str, *, full: bool = True) -> Message:
    """Make an ADT about two patients.

    Args:
        full: with everything in it.
    """
    head = header(f"ADT_{event}") if full else f"MSH|^~\\&|A|B|C|D|20210709113324+0200||ADT^{event}|C1|P|2.6"
    segments = [head]
    for n in (1, 2):
        if full:
            parts = [
                segment(name).replace(f"{name}3a", f"{name}{n}a") for name in ("PID", "PD1", "PV1", "PV2")
            ]
        else:
            parts = [
                f"PID|||{n}^^^HOSP^MR||Doe^Jane{n}||1980|F",
                f"PV1||I|ICU^{n}^A||PRE{n}||D1^House|||||||||||V{n}^^^HOSP^VN",
            ]
        segments += parts
    return decode("\r".join(segments).encode() + b"\r")


VALUES = {
    "NM": ("98.60", "-0.5", "+7", "007", ".5", "<5"),
    "SI": ("3",),
    "SN": (">=^100", "^1^-^5", "^1^:^128", "<>^3", "^5^-^1", "^7"),
    "NR": ("1^5", "5^1"),
    "ST": ("on", "a~b"),
    "TX": ("two\\.br\\lines", "one~two~three", "a&b^c"),
    "FT": ("\\H\\bold\\N\\",),
    "CWE": (
        "27268008^Salmonella^SCT^S^other^L^2019^1^said",
        "^pump-status-infusing",
        "a^A^L~b^B^L",
        "^^^x^y^LN",
    ),
    "CE": ("A^B^L",),
    "IS": ("W",),
    "ID": ("Y",),
    "DTM": ("2021", "202107", "20210709", "202107091133+0200", "20210709113324.25+0200", "2021-07"),
    "TS": ("20210709113324",),
    "DT": ("20210709",),
    "TM": ("113324", "1133"),
    "DR": ("20210709^20210710", "20210710^20210709", "2021^"),
    "NA": ("1^2^^3.5", "1^2~3^4", "1^x"),
    "ED": ("App^image^jpeg^Base64^QUJD", "^TEXT^plain^A^some text", "^^^Hex^414243", "^^^Base64^***"),
    "RP": ("https://example.org/a^App^image^JPEG", "no pointer^^^"),
    "XCN": ("1^Family&own^Given",),
    "CQ": ("5^mL",),
    "": ("no type",),
}
"""OBX-2 -> values of OBX-5 that it may hold, and some that it may not."""


def lab() -> Message:
    """Make an ORU with every kind of value, units and flags among them."""
    rows = []
    for datatype, texts in VALUES.items():
        for text in texts:
            unit = ("mg/dL^milligram^UCUM", "mm[Hg]", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "{x}^x^L^y^Y^L2", "", "^text only")[len(rows) % 6]  # fmt: skip
            flag = ("H", "L~A", "INV", "A^Abnormal^HL70078", "NAV", "odd one")[len(rows) % 6]
            status = "FRPCXDWINSUVABOZ"[len(rows) % 16]
            write = segment if not rows else sparse
            rows.append(write("OBX", f1=str(len(rows) + 1), f2=datatype, f3="1^c^LN^2^d^L^7^8^nine^10^e^99X^13", f4=str(len(rows)), f5=text, f6=unit, f7="1-5", f8=flag, f11=status))  # fmt: skip
    rows.append(segment("NTE", f3="a note&of^one~and another"))
    rows.append(sparse("OBX", f2="NM", f3="^^^b^c", f4="1^2^3^four", f5="", f8="OFF", f17="^^^m^m^L~n"))
    segments = [header("ORU_R01"), segment("PID"), segment("PV1"), segment("OBR"), segment("NTE"), *rows]
    return decode("\r".join(segments).encode() + b"\r")


MDS = "69965^MDC_MON_PHYSIO_MULTI_PARAM_MDS^MDC"
EUI = "0123456789ABCDEF^^0123456789ABCDEF^EUI-64"


def device(*, full: bool = True) -> Message:
    """Make a PCD-01 report: levels of a device, metrics with and without equipment, a waveform, attributes.

    Args:
        full: its first row has every field, and a note.
    """
    write = segment if full else sparse
    rows = [
        write("OBX", f2="", f3=MDS, f4="1.0.0.0", f5="", f18=EUI),
        *([segment("NTE")] if full else []),
        sparse("OBX", f3="69966^MDC_MON_PHYSIO_MULTI_PARAM_VMD^MDC", f4="1.1.0.0", f11="X"),
        sparse("OBX", f3="69967^MDC_MON_PHYSIO_MULTI_PARAM_CHAN^MDC", f4="1.1.1.0", f11="X"),
        sparse("OBX", f2="NM", f3="147842^MDC_ECG_HEART_RATE^MDC", f4="1.1.1.1", f5="72", f6="264864^MDC_DIM_BEAT_PER_MIN^MDC", f7="40-120", f8="QUES~H", f11="R", f14="20210709113300+0200", f17="AMEAS^auto-measurement^MDC"),
        sparse("OBX", f2="NM", f3="150456^MDC_PULS_OXIM_SAT_O2^MDC", f4="1.1.1.2", f6="262688^MDC_DIM_PERCENT^MDC", f8="NAV", f11="X", f17="MSET"),
        sparse("OBX", f2="NM", f3="67981^MDC_ATTR_SAMP_RATE^MDC", f4="1.1.1.3.1", f5="500", f6="264640^MDC_DIM_HZ^MDC", f11="R"),
        sparse("OBX", f2="NA", f3="131329^MDC_ECG_ELEC_POTL_I^MDC", f4="1.1.1.3", f5="1^2^^-3", f6="266418^MDC_DIM_MILLI_VOLT^MDC", f11="R", f18="DEV2^NS^1.2.3^ISO"),
        sparse("OBX", f2="ST", f3="531972^MDC_ID_PROD_SPEC_SERIAL^MDC", f4="1.0.0.1", f5="SN-1", f11="R"),
        sparse("OBX", f2="CWE", f3="184508^MDC_PUMP_STAT^MDC", f4="1.2.1.1", f5="^pump-status-infusing", f11="R"),
    ]  # fmt: skip
    order = sparse("OBR", f1="1", f3="D1^GW^0123456789ABCDEF^EUI-64", f4=MDS, f7="20210709113324+0200")
    patient = [
        "PID|||97100001^^^HOSP^MR||Doe^Jane^^^^^L||19800101|F",
        "PV1||I|ICU^7^A^OATH|||||||||||||||V1^^^HOSP^VN",
    ]
    head = "MSH|^~\\&|MON|ICU|OATHWARD|OATH|20210709113324+0200||ORU^R01^ORU_R01|C1|P|2.6"
    return decode("\r".join([head, *patient, order, *rows]).encode() + b"\r")


ALERT = "196916^MDC_EVT_SENSOR_DISCONN^MDC"
FACETS = (
    ("68480^MDC_ATTR_ALERT_SOURCE^MDC", "NM", "42"),
    ("68481^MDC_ATTR_EVENT_PHASE^MDC", "ST", "start"),
    ("68482^MDC_ATTR_ALARM_STATE^MDC", "ST", "active"),
    ("68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC", "ST", "enabled"),
    ("68484^MDC_ATTR_ALARM_PRIORITY^MDC", "CWE", "PL"),
    ("68485^MDC_ATTR_ALERT_TYPE^MDC", "ST", "ST"),
)
"""Attributes of an alert: OBX-3, OBX-2, OBX-5."""


def alarm(*, full: bool = True) -> Message:
    """Make a PCD-04 report: an alert with its attributes, a second one of which some stand by themselves.

    Args:
        full: the second event's row has every field, and a note.
    """
    shared = {"f11": "F", "f14": "20210709113300+0200", "f17": "AMEAS^auto-measurement^MDC", "f18": EUI}

    def row(code: str, datatype: str, value: str, place: str, **more: str) -> str:
        return sparse("OBX", f2=datatype, f3=code, f4=place, f5=value, **(shared | more))

    first = [row(*facet, f"1.1.1.{n}") for n, facet in enumerate(FACETS, 2)]
    second = [
        row("68481^MDC_ATTR_EVENT_PHASE^MDC", "ST", "", "1.2.1.2", f8="H~odd one"),
        row(
            "67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC", "NM", "5", "1.2.1.3", f6="264320^MDC_DIM_SEC^MDC", f7="1-9"
        ),
        row("68484^MDC_ATTR_ALARM_PRIORITY^MDC", "ST", "PM", "1.2.1.4", f11="R"),
        row("68482^MDC_ATTR_ALARM_STATE^MDC", "ST", "active", "1.2.1.5"),
    ]
    event = {"f2": "ST", "f3": "196670^MDC_EVT_LO^MDC", "f4": "1.2.1.1", "f5": "low", "f8": "PM~SP"} | shared
    rows = [
        sparse("OBX", f3=MDS, f4="1.0.0.0", f11="X", f18=EUI),
        row(ALERT, "ST", "CO2 sensor unplugged", "1.1.1.1"),
        *first,
        sparse("OBX", f3="69966^MDC_MON_PHYSIO_MULTI_PARAM_VMD^MDC", f4="1.2.0.0", f11="X"),
        *([segment("OBX", **event), segment("NTE")] if full else [sparse("OBX", **event)]),
        *second,
        sparse("OBX", f2="NM", f3="150456^MDC_PULS_OXIM_SAT_O2^MDC", f4="1.2.1.6", f5="81", f6="262688^MDC_DIM_PERCENT^MDC", f11="R"),
        row("68481^MDC_ATTR_EVENT_PHASE^MDC", "ST", "start~again", "1.2.1.7"),
        row("68485^MDC_ATTR_ALERT_TYPE^MDC", "ST", "SP", "1.3.1.2"),
    ]  # fmt: skip
    head = "MSH|^~\\&|MON|ICU|OATHWARD|OATH|20210709113324+0200||ORU^R40^ORU_R40|C1|P|2.6"
    patient = ["PID|||97100001^^^HOSP^MR||Doe^Jane", "PV1||I|ICU^7^A^OATH"]
    order = sparse("OBR", f1="1", f3="D1^GW^0123456789ABCDEF^EUI-64", f4="196616^MDC_EVT_ALARM^MDC", f7="20210709113324+0200")  # fmt: skip
    return decode("\r".join([head, *patient, order, *rows]).encode() + b"\r")
