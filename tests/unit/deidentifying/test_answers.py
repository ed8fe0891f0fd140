"""What a worker says is read as a stranger's word: nothing of it becomes a path, a reason or a class that is not ours."""

import pytest

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deidentifying.answers import (
    IDENTIFIERS_MAX,
    counts_of,
    format_named,
    found_of,
    held_of,
    reference_of,
    words_of,
)

WHO = [[["1", "HOSP", "MR", False]], []]


def test_what_is_of_its_form_is_read():
    kind, who = format_named({"format": "hl7v2", "who": WHO})
    assert (kind.suffix, who) == (".hl7", WHO)
    assert held_of({"held": [[0, "deid.failed", "PID-5"]]}, 1) == [[0, "deid.failed", "PID-5"]]
    assert counts_of({"removed": {"patient.name": 2}}, "removed") == {"patient.name": 2}
    assert words_of({"words": {"00" * 8: "patient.name"}}) == {"00" * 8: "patient.name"}


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (format_named, {"format": "../../etc", "who": WHO}),
        (format_named, {"format": "hl7v2", "who": [[["1", "HOSP", "MR"]]]}),
        (format_named, {"format": "hl7v2", "who": [[[1, "HOSP", "MR", False]]]}),
        (format_named, {"format": "hl7v2"}),
        (held_of, {}),
        (lambda answer: held_of(answer, 1), {"held": [[0, "Zoraida Quixley", ""]]}),
        (lambda answer: held_of(answer, 1), {"held": [["0", "deid.failed", ""]]}),
        (lambda answer: held_of(answer, 1), {"held": ["abc"]}),
        (lambda answer: counts_of(answer, "removed"), {"removed": {"Zoraida Quixley": 1}}),
        (lambda answer: counts_of(answer, "removed"), {"removed": {"patient.name": -1}}),
        (lambda answer: held_of(answer, 1), {"held": [[0, [], ""]]}),
        (lambda answer: held_of(answer, 1), {"held": [[1 << 63, "deid.failed", ""]]}),
        (lambda answer: held_of(answer, 1), {"held": [[-2, "deid.failed", ""]]}),
        (lambda answer: counts_of(answer, "removed"), {"removed": {"patient.name": 1 << 63}}),
        (words_of, {"words": {"00" * 8: []}}),
        (words_of, {"words": {"zz": "patient.name"}}),
        (words_of, {"words": {"00" * 8: "Zoraida Quixley"}}),
    ],
)
def test_anything_else_is_no_answer(read, answer):
    with pytest.raises(DeidentificationError) as refused:
        read(answer)
    assert refused.value.reason is Reason.WORKER_LOST


@pytest.mark.parametrize(
    "where",
    ["x" * 300, "Zoraida Quixley", "PID-5 Zoraida", "Patient.Zoraida", "Bundle.entry[77310042]", "PID-3: 77310042", "(0010,Anna)", "name\n", "Pati\u00ebnt"],
)  # fmt: skip
def test_a_place_that_is_none_is_left_out(where):
    assert held_of({"held": [[0, "deid.failed", where]]}, 1) == [[0, "deid.failed", ""]]


@pytest.mark.parametrize(
    "where",
    ["", "file", "memory", "PID-5", "PID[1]-3[0].1", "OBX[1204]-5", "ZPD-3", "MSH-18", "Bundle.entry[3].resource", "Patient.contact[0].name",
     "Observation.component[1].valueString", "Bundle.entry[3].request.ifNoneExist", "resourceType", "body, byte 120441", "data set", "(0010,0010)", "(0040,A730).(0040,A160)", "segment 3", "text"],
)  # fmt: skip
def test_a_place_of_a_format_is_told(where):
    assert held_of({"held": [[0, "deid.failed", where]]}, 1) == [[0, "deid.failed", where]]


@pytest.mark.parametrize(
    "answer", [{}, {"held": [[-1, "message.limit-exceeded", "memory"]]}, {"found": {"x": 1}}]
)
def test_what_does_not_say_that_it_was_searched_was_not(answer):
    with pytest.raises(DeidentificationError):
        found_of(answer)
    assert found_of({"found": {}}) == {}


@pytest.mark.parametrize(
    "named", [None, 1, "Patient/Quixley Zoraida", "Patient/1\n", "x", "Patient/" + "1" * 65]
)
def test_a_name_of_a_resource_is_a_reference_or_nothing(named):
    with pytest.raises(DeidentificationError):
        reference_of({"named": named})
    assert reference_of({"named": "Observation/abc-0"}) == "Observation/abc-0"
    assert reference_of({"named": ""}) == ""


def test_more_identifiers_of_one_patient_than_one_question_takes_hold_the_file():
    who = [["7", "HOSP", "MR", False]] * (IDENTIFIERS_MAX + 1)
    assert format_named({"format": "hl7v2", "who": [who[1:]]})
    with pytest.raises(DeidentificationError) as refused:
        format_named({"format": "hl7v2", "who": [who]})
    assert refused.value.reason is Reason.LIMIT_EXCEEDED


@pytest.mark.parametrize("units", [[0, 0], [1], [-1, -1], [0, 2]])
def test_what_is_held_are_units_of_the_file_each_once(units):
    with pytest.raises(DeidentificationError):
        held_of({"held": [[unit, "deid.failed", ""] for unit in units]}, 1)
    assert held_of({"held": [[0, "deid.failed", ""], [-1, "deid.failed", ""]]}, 1)
