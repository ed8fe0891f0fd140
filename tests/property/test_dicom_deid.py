"""Whatever a secret stands in of a file, nothing of it leaves: attributes, sequences, private ones, reports, any encoding."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dicom import ct, dataset, encoded, read
from tests.shaped import SEEDS

from oathward.core.errors import OathwardError
from oathward.core.labels import CLASSES
from oathward.deid.dicom import compile_dicom, known_of
from oathward.deid.profile import builtin_profiles
from oathward.protocols.dicom import annex_e
from oathward.protocols.dicom.dictionary import TEXTS, vr_of
from oathward.protocols.dicom.reader import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, decode

SYNTAXES = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, "1.2.840.10008.1.2.1.99")
PROFILES = (
    "safe-harbor",
    "research",
    "limited-data-set",
    "device-telemetry",
    "gdpr-pseudonymised",
    "treatment",
)
WRITERS = {name: compile_dicom(builtin_profiles()[name], CLASSES) for name in PROFILES}

PERSONS = sorted(
    tag
    for tag, row in annex_e.rows().items()
    if vr_of(tag) in (b"PN", b"LO", b"SH", b"ST", b"LT", b"UT")
    and not {code for code, _action in row.options} - {113105}
)
"""Texts that the table removes, or cleans: what may not leave where no text is cleaned."""

secrets = st.text(alphabet="BCDFGHJKLMNPQRSTVWXYZ", min_size=6, max_size=12).map(
    lambda text: "Q" + text.lower() + "q"
)
places = st.sampled_from(PERSONS)


def planted(tag: int, secret: str):
    made = dataset()
    vr = (vr_of(tag) or b"LO").decode()
    made.add_new(tag, vr, f"{secret}^Zed" if vr == "PN" else secret)
    return made


@pytest.mark.parametrize("profile", PROFILES)
@given(secret=secrets, tags=st.lists(places, min_size=1, max_size=6), syntax=st.sampled_from(SYNTAXES))
def test_a_planted_secret_is_nowhere_in_the_output(profile, secret, tags, syntax):
    made = ct()
    for tag in tags:
        made.update(planted(tag, secret))
    made.SourceImageSequence = [planted(tag, secret) for tag in tags]
    made.SourceImageSequence[0].PurposeOfReferenceCodeSequence = [
        dataset(CodeValue="1", CodingSchemeDesignator="99ACME", CodeMeaning=secret)
    ]
    made.ContentSequence = [
        dataset(ValueType="TEXT", TextValue=f"{secret} was seen", ContentSequence=[planted(tags[0], secret)])
    ]
    made.private_block(0x0019, f"{secret} MR", create=True).add_new(0x0C, "LO", secret)
    made.add_new(0x60004000, "LT", secret)
    made.GraphicAnnotationSequence = [dataset(TextObjectSequence=[dataset(UnformattedTextValue=secret)])]
    data = encoded(made, syntax)
    data = secret.encode().ljust(128, b"\0") + data[128:]
    file = decode(data)
    done = WRITERS[profile](file, "1", SEEDS)
    out = done.joined(file.data)
    assert secret.encode() not in out
    assert secret[1:7].encode() not in out
    assert read(out).PatientIdentityRemoved == "YES"
    assert bytes(range(32)) in out


@given(data=st.binary(max_size=400), cut=st.integers(0, 700), at=st.integers(0, 700))
def test_a_broken_file_is_refused_or_written_never_a_crash(data, cut, at):
    whole = encoded(ct(SourceImageSequence=[dataset(ReferencedSOPInstanceUID="1.2.3")]))
    broken = whole[:at] + data + whole[at + cut :]
    with contextlib.suppress(OathwardError):
        file = decode(broken)
        WRITERS["research"](file, "1", SEEDS)
        known_of(file)


def test_the_texts_that_are_planted_are_most_of_the_table():
    assert len(PERSONS) > 150
    assert all(vr_of(tag) in TEXTS | {b"PN"} for tag in PERSONS)
