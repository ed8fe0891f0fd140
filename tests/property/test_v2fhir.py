"""Whatever is left of a message after shaping: the Bundle is valid R4, and loses what the list says and nothing else."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from tests.v2fhir import FACETS, OUTGOING, VALUES, Round, alarm, device, mistakes, pair, sparse

from oathward.core.errors import DecodeError, OathwardError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2 import tables as hl7
from oathward.protocols.hl7v2.escapes import escape
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import to_fhir

SEGMENTS = ("PID", "PD1", "NK1", "MRG", "PV1", "PV2", "OBR", "OBX", "OBX", "NTE")
KINDS = ("ORU^R01^ORU_R01", "ORU^R40^ORU_R40", "ADT^A03^ADT_A03", "ADT^A40^ADT_A39", "ADT^A45^ADT_A45")
PLACES = ("1.0.0.0", "1.1.0.0", "1.1.1.0", "1.1.1.1", "1.1.1.2.3", "2.0.0.0")

LIGHT = {"device": device(full=False), "alarm": alarm(full=False), "A17": pair("A17", full=False)}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x0b\x1c"), max_size=6).map(
    escape
)
words = st.sampled_from(
    [
        "A",
        "M",
        "I",
        "F",
        "L",
        "Y",
        "N",
        "PRN",
        "PH",
        "CP",
        "Internet",
        "H",
        "X",
        "U",
        "1",
        "B",
        "2021",
        "202113",
        "20210230",
        "2021070911",
        "202107091133",
        "0000",
        "19800101",
        "-3",
        "12.50",
        "20210709113324.25-0330",
        "LN",
        "LOINC",
        "MDC",
        "L",
        "HL70002",
        "1.2.3",
        "ISO",
        "EUI-64",
        "SCT",
        "SH",
        "urn:x:y",
        "\\.br\\",
        "\\H\\",
        "\\X0D\\",
        "\\T\\",
    ]
)
leaves = st.one_of(words, texts, st.sampled_from(["", "", '""', " x ", "a  b"]))
repetitions = st.lists(st.lists(leaves, min_size=1, max_size=3).map("&".join), min_size=1, max_size=10).map(
    "^".join
)
fields = st.lists(repetitions, min_size=1, max_size=2).map("~".join)


OWN = {"PID": "f3", "MRG": "f6", "PV1": "f50"}


@st.composite
def segments(draw, name, **own):
    """Write a segment with a few fields of anything; an OBX with a code, so that it is an observation.

    Args:
        own: fields that are given.
    """
    numbers = draw(st.sets(st.integers(1, len(hl7.segments()[name])), min_size=1, max_size=6))
    given_ = {f"f{n}": draw(fields) for n in numbers}
    if name == "OBX":
        given_["f2"] = draw(st.sampled_from([*VALUES, "ZZ"]))
        given_["f5"] = draw(st.one_of(st.sampled_from(VALUES.get(given_["f2"], ("x",))), fields))
        given_["f3"] = "1^c^LN"
        if draw(st.booleans()):
            given_ |= {"f3": "69965^MDC_X^MDC", "f4": draw(st.sampled_from(PLACES))}
            if draw(st.booleans()):
                given_["f3"] = draw(st.sampled_from(FACETS))[0]
        if draw(st.booleans()):
            given_ |= {"f2": "", "f5": ""}
    return sparse(name, **given_ | own)


def check(raw: bytes) -> None:
    """Map a message; what is said must be true of it."""
    try:
        message = decode(raw)
        bundle = to_fhir(message, OUTGOING)
    except DecodeError:
        return
    except OathwardError as error:
        if error.reason is not Reason.MAPPING_UNSUPPORTED:
            raise
        return
    assert to_fhir(message, OUTGOING) == bundle
    assert mistakes(bundle) == []
    assert Round().take(message).wrong == []


@example("ORU^R01^ORU_R01", "NK1|||||||A", "")  # a remembered concept that its row marks with the field
@given(
    st.sampled_from(KINDS),
    st.sampled_from(SEGMENTS).flatmap(segments),
    st.sampled_from(["20210709113324+0200", "20210709113324", ""]),
)
def test_anything_that_can_be_read_is_mapped_and_mapped_back(kind, segment, at):
    head = f"MSH|^~\\&|A|B|C|D|{at}||{kind}|C1|P|2.6||||||UNICODE UTF-8"
    under = ["OBX|1|NM|1^c^LN||5"] if segment.startswith("NTE") else []
    check("\r".join([head, *under, segment]).encode() + b"\r")


@given(st.lists(st.one_of(*map(segments, ("OBX", "OBX", "OBX", "NTE"))), max_size=5))
def test_any_rows_behind_an_alert_are_mapped_and_mapped_back(rows):
    head = "MSH|^~\\&|A|B|C|D|20210709113324+0200||ORU^R40^ORU_R40|C1|P|2.6||||||UNICODE UTF-8"
    event = "OBX|1|ST|196916^MDC_EVT_SENSOR_DISCONN^MDC|1.1.1.1|off"
    check("\r".join([head, event, *rows]).encode() + b"\r")


@given(
    st.sampled_from(["ADT^A45^ADT_A45", "ADT^A50^ADT_A50", "ADT^A17^ADT_A17", "ADT^A24^ADT_A24"]),
    st.lists(st.sampled_from(sorted(OWN)), max_size=5),
    st.data(),
)
def test_any_order_of_patients_and_visits_is_mapped_and_mapped_back(kind, names, data):
    """Each has a number of its own: who is said twice in the same words is one resource."""
    head = f"MSH|^~\\&|A|B|C|D|20210709113324+0200||{kind}|C1|P|2.6||||||UNICODE UTF-8"
    rows = [data.draw(segments(name, **{OWN[name]: f"{name}{n}"})) for n, name in enumerate(names)]
    check("\r".join([head, *rows]).encode() + b"\r")


@given(st.sampled_from(sorted(LIGHT)), st.data())
def test_what_is_left_of_a_message_is_mapped_and_mapped_back(name, data):
    """Parts are taken out as a profile would: whole rows and fields."""
    head, *rows = LIGHT[name].segments
    left = [head]
    for row in rows:
        parts = row.split(b"|")
        keep = data.draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
        if keep[0]:
            last = [part if kept else b"" for part, kept in zip(parts, keep, strict=True)][1:]
            # An observation is shaped as a whole: its code stays, or it goes.
            left.append(
                b"|".join(
                    [parts[0], *last[:2], parts[3], *last[3:]] if parts[0] == b"OBX" else [parts[0], *last]
                )
            )
    check(b"\r".join(left) + b"\r")


@given(st.text("0123456789", min_size=5, max_size=10), st.text("0123456789", min_size=5, max_size=10))
def test_an_id_is_the_persons_and_shows_no_digit(one, other):
    def patient(number: str) -> bytes:
        raw = f"MSH|^~\\&|||||||ADT^A08|1|P|2.6\rPID|||{number}^^^HOSP^MR\r"
        return to_fhir(decode(raw.encode()), OUTGOING).split(b'"PUT","url":"')[1].split(b'"')[0]

    assert (patient(one) == patient(other)) == (one == other)
    assert not any(chr(byte).isdigit() for byte in patient(one))
