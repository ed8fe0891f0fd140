"""A mapping is kept as TOML and comes back the same; what it should not say is refused by its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.attributes import ATTRIBUTES, Kind, folded, named, names_patient
from oathward.discovery.lists.mapping import Column, ColumnMap, read, write


@given(
    st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() or "\n" in text), st.sampled_from(["", *ATTRIBUTES]), min_size=1, max_size=8),
    st.sampled_from(["", "%d.%m.%Y", "excel"]),
)  # fmt: skip
def test_it_comes_back_as_it_was_written(columns, form):
    dated = {Kind.DATE, Kind.MOMENT}
    told = ColumnMap(
        "cmms",
        tuple(
            Column(name, one, form if one and ATTRIBUTES[one].kind in dated else "")
            for name, one in columns.items()
            if not names_patient(name)
        ),
        ";",
        "windows-1252",
        4,
    )
    if told.columns:
        assert read(write(told).encode()) == told


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("", "mapping: columns", Reason.INPUT_INVALID),
        ("=", "mapping", Reason.INPUT_INVALID),
        ("x = 1", "mapping: x", Reason.INPUT_INVALID),
        ('[columns]\nA = "colour"', "mapping: columns.A", Reason.INPUT_INVALID),
        ('[columns]\nA = { attribute = "tag", date = "iso" }', "mapping: columns.A", Reason.INPUT_INVALID),
        (
            '[columns]\nA = { attribute = "last-heard", date = "?" }',
            "mapping: columns.A",
            Reason.INPUT_INVALID,
        ),
        (
            '[columns]\nA = { attribute = "last-heard", date = "%c" }',
            "mapping: columns.A",
            Reason.INPUT_INVALID,
        ),
        ('[columns]\nMRN = "account"', "mapping: columns.MRN", Reason.NOT_PERMITTED),
        ('delimiter = "x"\n[columns]\nA = "tag"', "mapping: delimiter", Reason.INPUT_INVALID),
        ('encoding = "utf-7"\n[columns]\nA = "tag"', "mapping: encoding", Reason.INPUT_INVALID),
        ("header_line = -1\n[columns]\nA = 'tag'", "mapping: header_line", Reason.INPUT_INVALID),
    ],
)
def test_what_it_should_not_say_is_refused_by_its_place(text, where, reason):
    with pytest.raises(InputError) as found:
        read(text.encode())
    assert (found.value.where, found.value.reason) == (where, reason)


@pytest.mark.parametrize("header", ["Patient", "patient_name", "Patients", "MRN", "Date of Birth", "DOB", "Subject ID", "Nachname", "Wearer E-Mail", "Patienten-ID", "Nombre del paciente", "Nom du patient", "Assigned Patient (MRN)", "Implanted patient no.", "Paziente", "Versichertennummer", "Fall-Nr."])  # fmt: skip
def test_who_a_patient_is_has_no_column(header):
    assert names_patient(header)
    assert named(header) == ""


@pytest.mark.parametrize(
    "header",
    ["Patient care area", "Patient monitor type", "Connected to patient", "Name", "Room", "Subnet", "Status"],
)
def test_what_only_sounds_so_has(header):
    assert not names_patient(header)


def test_every_spelling_is_folded_and_means_one_thing_in_a_list():
    seen: dict[str, str] = {}
    for attribute, info in ATTRIBUTES.items():
        for word in info.headers:
            assert folded(word) == word
            assert not names_patient(word)
            if named(word) == attribute:
                assert seen.setdefault(word, attribute) == attribute
