"""Whatever a secret stands in of a file, nothing of it leaves: attributes, sequences, private ones, reports, any encoding."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dicom import ct, dataset, encoded, read
from tests.shaped import SEEDS

from oathward.core.errors import OathwardError
from oathward.core.labels import CLASSES
from oathward.deid.dicom import compile_dicom, known_of
from oathward.deid.profile import builtin_profiles
from oathward.protocols.dicom import annex_e, catalogue
from oathward.protocols.dicom.dictionary import OPAQUE, TEXTS, _vrs, vr_of
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


BYTES = sorted(
    tag
    for tag in _vrs()
    if vr_of(tag) in OPAQUE
    and tag not in catalogue.SHOWN | {catalogue.ENCAPSULATED_DOCUMENT}
    and tag >> 16 > 6
)


@pytest.mark.parametrize("profile", PROFILES)
def test_of_bytes_those_alone_stay_that_show_or_measure(profile: str):
    made = ct()
    for tag in BYTES:
        made.add_new(tag, "OB", b"Moreau was here!" * 2)
    made.EncryptedAttributesSequence = [dataset(EncryptedContent=b"Moreau was here!")]
    made.ICCProfile = b"Moreau was here!"
    made.HPGLDocumentSequence = [dataset(HPGLDocument=b"Moreau was here!")]
    out = written(profile, made)
    assert b"was here" not in out
    assert "EncryptedAttributesSequence" not in read(out)
    assert "ICCProfile" not in read(out)
    assert bytes(range(32)) in out


LISTED = ("RescaleType", "ModalityLUTType", "ImagedNucleus")


@pytest.mark.parametrize("profile", PROFILES)
def test_words_stand_where_the_standard_lists_terms_in_no_profile(profile: str):
    """Who made a text attribute of them must have meant one of the standard's; others are somebody's."""
    made = ct(
        RescaleType="Zed was here",
        ImagedNucleus="Zed was here",
        ModalityLUTType="Zed was here",
        AlgorithmName="Zed was here",
    )
    made.TriggerSourceOrType = made.Radionuclide = made.PVCRejection = "Zed was here"
    out = written(profile, made)
    found = read(out)
    assert not [one for one in LISTED if "was here" in str(found.get(one, ""))]
    if profile != "research":  # where texts are cleaned, what names nobody stays
        assert b"was here" not in out
    kept = read(written(profile, ct(RescaleType="HU", ImagedNucleus="129Xe")))
    assert kept.RescaleType == "HU"


def written(profile: str, made: Any) -> bytes:
    file = decode(encoded(made))
    return WRITERS[profile](file, "1", SEEDS).joined(file.data)


def test_the_texts_that_are_planted_are_most_of_the_table():
    assert len(PERSONS) > 150
    assert all(vr_of(tag) in TEXTS | {b"PN"} for tag in PERSONS)
