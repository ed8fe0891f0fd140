"""What devices told is read as they said it: units, flags, times, places, what was taken back; and gaps are gaps."""

import json

import pytest

from oathward.bedside import fhir as fhir_reader
from oathward.bedside import hl7v2, trend
from oathward.bedside import picture as bedside
from oathward.bedside.picture import Told
from oathward.core.errors import DecodeError
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes
from oathward.web.words import whole_span

MINUTE = 60_000_000
CAME = 1_777_882_800_000_000
"""When messages came: 2026-05-04 08:20, some minutes after what they tell."""
HEAD = "MSH|^~\\&|MON1|W|O|S|20260504081500+0000||ORU^R01^ORU_R01|1|P|2.6\rPID|1||1^^^H^MR||Doe^Jane||19700131|F\r"


def hl7(*rows, head=HEAD, came_us=CAME):
    told = Told()
    text = head + "OBR|1|||X|||20260504081000+0000\r" + "".join(f"{row}\r" for row in rows)
    hl7v2.told(text.encode(), "m-1", came_us, told)
    return told


def fhir(resource, target=None, came_us=CAME):
    told = Told()
    raw = request_bytes(
        Request("POST", resource["resourceType"] if target is None else target), json.dumps(resource).encode()
    )
    fhir_reader.told(raw, "m-1", came_us, told)
    return told


HR = "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|{}|264864^MDC_DIM_BEAT_PER_MIN^MDC|50-120|{}|||{}||"


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (HR.format("72", "", "R"), ("Heart rate (ECG)", "72", 72.0, "/min", "", "50-120")),
        (HR.format("131", "H", "R"), ("Heart rate (ECG)", "131", 131.0, "/min", "H", "50-120")),
        (HR.format("131", "N~LL", "R"), ("Heart rate (ECG)", "131", 131.0, "/min", "LL", "50-120")),
        (HR.format("7..2", "", "R"), ("Heart rate (ECG)", "7..2", None, "/min", "", "50-120")),
        (HR.format("inf", "", "R"), ("Heart rate (ECG)", "inf", None, "/min", "", "50-120")),
        ("OBX|1|SN|8480-6^Systolic^LN||>^200|mm[Hg]^^UCUM", ("Systolic", "> 200", None, "mm[Hg]", "", "")),
        ("OBX|1|CWE|X^Rhythm^L||1^Sinus^L~2^Paced^L", ("Rhythm", "Sinus, Paced", None, "", "", "")),
        ("OBX|1|ST|X^Note^L||a\\T\\b", ("Note", "a&b", None, "", "", "")),
        ("OBX|1|NA|X^Wave^L||1^2^3", ("Wave", "a waveform", None, "", "", "")),
    ],
)
def test_a_row_is_shown_as_the_device_said_it(row, shown):
    (one,) = hl7(row).readings
    assert (one.name, one.value.reveal(), one.number.reveal(), one.unit, one.flag, one.limits) == shown
    assert one.at_us == 1_777_882_200_000_000, "of OBR-7, where the row has no time"


@pytest.mark.parametrize(
    "row",
    [
        HR.format("72", "", "D"),
        HR.format("72", "", "W"),
        HR.format("", "", "X"),
        HR.format('""', "", "R"),
        "OBX|1|NM||||",
        "OBX",
    ],
)
def test_what_was_taken_back_or_never_measured_is_not_shown(row):
    assert hl7(row).readings == []


def test_a_message_about_two_patients_is_not_read():
    told = hl7(HR.format("72", "", "R"), "PID|2||2^^^H^MR||Roe^Rob", HR.format("99", "", "R"))
    assert (told.readings, told.unread, told.called) == ([], 1, None)


def test_what_is_no_message_is_an_error_that_says_no_value():
    with pytest.raises(DecodeError) as error:
        hl7v2.told(b"MSH|^~\\&|Zebulonova", "m", 1, Told())
    assert "Zebulonova" not in str(error.value)


def test_observations_of_fhir_with_components_and_what_was_entered_in_error():
    pressure = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9", "display": "Blood pressure"}]},
        "effectiveDateTime": "2026-05-04T08:15:00Z",
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6", "display": "Systolic"}]},
                "valueQuantity": {"value": 181, "unit": "mmHg"},
                "interpretation": [{"coding": [{"code": "H"}]}],
                "referenceRange": [{"low": {"value": 90}, "high": {"value": 140}}],
            },
            {"code": {"text": "Position"}, "valueString": "sitting"},
        ],
    }
    first, second = fhir(pressure).readings
    assert (first.code, first.name, first.value.reveal(), first.unit, first.flag, first.limits) == (
        "LN|8480-6", "Systolic", "181", "mmHg", "H", "90-140",
    )  # fmt: skip
    assert first.at_us == 1_777_882_500_000_000
    assert (second.name, second.value.reveal(), second.number.reveal()) == ("Position", "sitting", None)
    assert fhir(pressure | {"status": "entered-in-error"}).readings == []


def reading(minutes, value=70.0):
    from oathward.bedside.picture import Reading
    from oathward.core.phi import Phi

    return Reading("c", "Pulse", Phi(str(value)), Phi(value), "/min", minutes * MINUTE, f"m-{minutes:03}")


def test_a_silence_is_a_gap_once_it_is_three_times_as_long_as_usual():
    times = [0, 5, 10, 15, 20, 50, 55, 60]
    (row,) = bedside.rows([reading(t) for t in times], {}, 62 * MINUTE)
    assert [(g.from_us // MINUTE, g.until_us and g.until_us // MINUTE) for g in bedside.gaps([row])] == [
        (20, 50)
    ]
    assert not row.silent
    (row,) = bedside.rows([reading(t) for t in times], {}, 80 * MINUTE)
    assert next((g.from_us // MINUTE, g.until_us) for g in bedside.gaps([row])) == (60, None)


@pytest.mark.parametrize(
    ("unit", "words"),
    [("mm[Hg]", "mmHg"), ("Cel", "°C"), ("{resp}/min", "/min"), ("1", ""), ("mL/h", "mL/h"), ("u", "u")],
)
def test_a_unit_is_written_as_on_a_devices_screen(unit, words):
    assert bedside.unit_words(unit) == words


def test_trends_begin_with_the_first_value_there_is():
    second = 1_000_000
    points = [(100 * MINUTE + n * second, 70.0) for n in range(30)]
    until = 100 * MINUTE + 30 * second
    assert trend.since_us([points, []], 0, until) == 100 * MINUTE
    assert trend.since_us([points], 100 * MINUTE + 5 * second, until) == 100 * MINUTE + 5 * second
    assert trend.since_us([[]], 7, until) == 7
    drawn = trend.drawn(points, trend.since_us([points], 0, until), until, 0)
    assert drawn.path.reveal().startswith(f"M{trend.EDGE}.0 "), "half a minute fills it"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (30, "30 s"), (60, "1 min"), (7_500, "2 h 5 min"), (3_605, "1 h"), (90_000, "1 d 1 h")],
)
def test_a_span_is_said_to_two_units(seconds, words):
    assert whole_span(seconds) == words


def test_a_clock_that_goes_ahead_makes_no_time_of_the_future():
    """Neither a value, nor an alarm, nor a gap until later than now."""
    came_us = CAME - 60 * MINUTE  # the device is an hour ahead
    value = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "X"},
        "effectiveDateTime": "2026-05-04T08:15:00Z",
        "valueString": "y",
    }
    alarm = HEAD.replace("ORU^R01^ORU_R01", "ORU^R40^ORU_R40")
    event = "OBX|1|ST|196648^MDC_EVT_ALARM^MDC||Asystole||||||R"
    told = hl7(HR.format("72", "", "R"), came_us=came_us).readings + fhir(value, came_us=came_us).readings
    told += hl7(event, head=alarm, came_us=came_us).alarms
    assert [one.at_us for one in told] == [came_us] * 3
    late = HR.format("72", "", "R") + "|20260504081900+0000"
    assert hl7(late, came_us=came_us).readings[0].at_us == came_us
    assert hl7(HR.format("72", "", "R")).readings[0].at_us < CAME, "what the device said, where it can be"


def test_the_latest_is_by_the_devices_time_whatever_came_last():
    (row,) = bedside.rows(
        [reading(9, 90.0), reading(10, 91.0), reading(3, 50.0)], {"m-010": "mon-1"}, 11 * MINUTE
    )
    assert (row.latest.value.reveal(), row.device) == ("91.0", "mon-1")
    assert [value for _, value in row.points] == [50.0, 90.0, 91.0]


def test_a_trend_is_broken_where_nothing_came_and_a_lone_value_is_a_dot():
    points = [(n * MINUTE, float(n)) for n in (0, 1, 2, 30, 60, 61)]
    drawn = trend.drawn(points, 0, 61 * MINUTE, 5 * MINUTE)
    assert drawn.path.reveal().count("M") == 2
    assert len(drawn.dots) == 1
    assert (drawn.low.reveal(), drawn.high.reveal(), drawn.breaks) == ("0", "61", 2)
    assert trend.drawn(points, 0, 61 * MINUTE, 0).breaks == 0, "reverse: without a limit all is one line"
    assert trend.drawn(points[:1], 0, MINUTE, 0) is None
