"""What an element is: datatype first, review louder, siblings for OBX-5, nothing without a class."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from tests.shaped import message

from oathward.core.labels import CLASSES
from oathward.protocols.hl7v2 import codes, elements, forms, overrides, tables
from oathward.protocols.hl7v2.catalogue import class_of, classes_present, rows
from oathward.protocols.hl7v2.escapes import USUAL
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.hl7v2.shapes import DIGITS, Shape, shape_of, shapes

ROOT = Path(__file__).resolve().parents[4]

PLACES = [
    # by datatype
    ("PID-5.1.1", "patient.name"),
    ("PID-11.3", "patient.address"),
    ("STF-3.1", "staff.name"),
    ("STF-11.5", "staff.address"),
    ("FT1-20.1", "staff.identifier"),
    ("FT1-20.2.1", "staff.name"),
    ("RXA-15", "device.identity"),
    ("RXA-16", "device.identity"),
    ("QRD-1", "message.time"),
    ("MFI-5", "organisation.time"),
    ("RXA-6", "clinical.code"),
    ("SAC-3.1", "order"),
    ("EQU-1.1", "device.identity"),
    ("BLG-3.1", "patient.identifier"),
    # the same datatype in another role
    ("NK1-2.1", "relative.name"),
    ("GT1-3.1", "relative.name"),
    ("GT1-16.1", "organisation.name"),
    ("PID-6.1", "relative.name"),
    ("PV1-7.2", "staff.name"),
    ("PV1-7.1", "staff.identifier"),
    ("PD1-3.1", "organisation.name"),
    ("MSH-22.1", "message.party"),
    # reviewed
    ("PID-7", "patient.birth-date"),
    ("PID-8", "patient.demographic"),
    ("PID-18.1", "patient.encounter"),
    ("PV1-19.1", "patient.encounter"),
    ("PV1-3.4.1", "location"),
    ("OBR-7", "observation.time"),
    ("OBR-3.1", "order"),
    ("OBR-13", "note.text"),
    ("OBX-3.1", "observation.code"),
    ("OBX-3.2", "note.text"),
    ("OBX-4", "structure"),
    ("OBX-5", "note.text"),
    ("OBX-16.2", "staff.name"),
    ("OBX-18.1", "device.identity"),
    ("PRT-10.1", "device.identity"),
    ("PRT-16.1", "device.type"),
    ("NTE-3", "note.text"),
    ("MSH-7", "message.time"),
    ("MSH-10", "message.control"),
    ("TXA-16", "note.text"),
    ("IN1-36", "patient.identifier"),
    ("CON-24.1", "patient.name"),
    # nobody knows
    ("ZPD-1", "uncatalogued"),
    ("PID-77", "uncatalogued"),
    ("PID-5.99", "uncatalogued"),
    ("PID-7.3", "uncatalogued"),
    ("PID-8.1.2", "uncatalogued"),
    ("pid-3", "uncatalogued"),
]


@pytest.mark.parametrize(("place", "cls"), PLACES)
def test_places(place: str, cls: str):
    segment, _, path = place.partition("-")
    assert class_of(segment, *map(int, path.split("."))) == cls


def test_every_field_has_classes_that_exist():
    found = {cls for row in rows() for cls in row.classes}
    assert found <= CLASSES
    assert "uncatalogued" not in {cls for row in rows() if any(row.datatypes) for cls in row.classes}


def test_reviewed_segments_are_reviewed_whole_and_name_their_source():
    done: dict[str, set[bool]] = {}
    for row in rows():
        done.setdefault(row.segment, set()).add(bool(row.source))
    assert not [segment for segment, states in done.items() if len(states) > 1]
    wanted = """MSH SFT PID PD1 NK1 PV1 PV2 ROL DB1 OBR OBX NTE ORC TXA EVN MRG AL1 DG1 IN1 IN2 GT1 PRT CON ARV
    ERR MSA QPD QAK QID RCP DSC ADD TQ1 TQ2 SPM PR1 ACC PDA NPU IAM CTD FHS BHS BTS FTS UAC"""
    assert {segment for segment, states in done.items() if states == {True}} == set(wanted.split())


def test_people_are_people_in_every_segment():
    """No field that holds a name, an address or a number of somebody is read as something harmless."""
    telling = {"XPN", "XCN", "PPN", "XAD", "XTN", "CX", "PN", "CN"}
    roles = tuple(f"{role}." for role in ("patient", "relative", "staff", "organisation"))
    others = {"order", "patient.encounter", "financial"}  # specimen and order numbers come as CX
    for row in rows():
        if telling & set(row.datatypes):
            assert all(cls.startswith(roles) or cls in others for cls in row.classes), (row.segment, row.n)


def test_a_person_overlooked_would_be_found(monkeypatch: pytest.MonkeyPatch):
    elements.fields_of.cache_clear()
    plain = {("NK1", 2): overrides.Review("structure", "", "", "nobody")}
    monkeypatch.setattr(elements, "reviewed", lambda: plain)
    try:
        with pytest.raises(AssertionError, match="NK1"):
            test_people_are_people_in_every_segment()
    finally:
        elements.fields_of.cache_clear()


def test_a_row_of_the_table_needs_a_class_a_source_and_a_field(monkeypatch: pytest.MonkeyPatch):
    for row in (
        ["PID", "1", "patient.shoe", "x"],
        ["PID", "1", "structure", ""],
        ["PID", "1", "structure/half", "x"],
        ["PID", "99", "structure", "x"],
    ):
        monkeypatch.setattr(tables, "rows", lambda _name, row=row: [row])
        overrides.reviewed.cache_clear()
        with pytest.raises(ValueError, match="PID"):
            overrides.reviewed()
    overrides.reviewed.cache_clear()


def test_the_tables_are_what_the_script_makes():
    pytest.importorskip("hl7apy")
    script = ROOT / "scripts" / "hl7v2_tables.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_page_is_current():
    path = ROOT / "scripts" / "reference_catalogue.py"
    spec = importlib.util.spec_from_file_location("reference_catalogue", path)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = ROOT / "docs" / "reference" / "hl7v2-catalogue.md"
    assert page.read_text() == script.render(), "run make reference"


# --- shapes


def leaf_classes(segment: str, n: int) -> list[str]:
    shape = shape_of(segment.encode(), USUAL)
    return [leaf.cls for field in shape.fields if field.n == n for leaf in field.leaves]


@pytest.mark.parametrize(
    ("segment", "n", "classes"),
    [
        ("PID|||1^^^HOSP&1.2&ISO^MR~2", 3, ["patient.identifier"] * 6),
        ("PID|||1^2^3^4^5^6^7^8^9^10^11^12^13", 3, ["patient.identifier"] * 12 + ["uncatalogued"]),
        ("PID|||||||19600101", 7, ["patient.birth-date"]),
        ("PID|||||||born in spring", 7, ["note.text"]),
        ("PID|||||||1960-01-01", 7, ["patient.birth-date"]),
        ("DG1|1||I21^Heart attack of Mr Smith^I10", 3, ["clinical.code", "note.text", "clinical.code"]),
        ("DG1|1||I21^SMITH^I10", 3, ["clinical.code", "note.text", "clinical.code"]),
        ("DG1|1||F^F^HL70001", 3, ["clinical.code"] * 3),
        (
            "DG1|1||F^F^HL70001^a^SMITH^L^1^2^^27268008^SMITH^SCT",
            3,
            ["clinical.code"] * 4 + ["note.text"] + ["clinical.code"] * 4 + ["note.text", "clinical.code"],
        ),
        ("DG1|1||I21^Heart attack of Mr Smith^L", 3, ["clinical.code", "note.text", "clinical.code"]),
        ("DG1|1||not a code^Text^I10", 3, ["note.text", "note.text", "clinical.code"]),
        ("DG1|1||SMITHJOHN^Text^I10", 3, ["note.text", "note.text", "clinical.code"]),
        ("DG1|1||Lung_cancer^Text^L", 3, ["note.text", "note.text", "clinical.code"]),
        ("DG1|1||I21^Text^HOSPITAL-A", 3, ["clinical.code", "note.text", "note.text"]),
        (
            "DG1|1||I21^Text^I10^^^^2026.1",
            3,
            ["clinical.code", "note.text", "clinical.code", "clinical.code"],
        ),
        ("DG1|1||I21^Text^I10^^^^Smith", 3, ["clinical.code", "note.text", "clinical.code", "note.text"]),
        ("PRT||UC||EQUIP", 4, ["structure"]),
        ("NTE|1|||RE", 4, ["structure"]),
        ("NTE|1|||SMITH", 4, ["note.text"]),
        ("OBX|1|NM|1^^LN|ZZYSE39W-1|5", 4, ["structure"]),
        ("OBX|1|NM|1^^LN|SMITH|5", 4, ["note.text"]),
        ("SFT||2.4.1-beta", 2, ["device.type"]),
        ("SFT||of Mr Smith", 2, ["note.text"]),
        ("DG1|1||^only text", 3, ["note.text"]),
        ("DG1|1||1^MDC_EVT_LO^MDC^^^^^^said Mrs Smith", 3, ["clinical.code"] * 3 + ["note.text"]),
        ("DG1|1||a^b^c^d^e^f^1^2^i^g^h^k" + "^1" * 12, 3, None),
        ("EVN|A01 and a half", 1, ["note.text"]),
        ("OBX|1|NM|||1|mm[Hg]", 6, ["observation.value"]),
        ("OBX|1|NM|||1|^bpm", 6, ["observation.value"]),
        ("OBX|1|NM|||1|µmol/L", 6, ["observation.value"]),
        ("OBX|1|NM|||1|beats of Mr Smith", 6, ["note.text"]),
        ("OBX|1|NM|||1||70-80", 7, ["observation.value"]),
        ("OBX|1|NM|||1||see his notes", 7, ["note.text"]),
        ("NTE|1||one^two~three&four", 3, ["note.text"] * 2),
        ("ZPD|a|b^c", 2, ["uncatalogued"]),
        ('PID|||""', 3, ["patient.identifier"]),
    ],
)
def test_values_are_judged_by_their_look(segment: str, n: int, classes: list[str] | None):
    found = leaf_classes(segment, n)
    if classes is None:
        assert found.count("uncatalogued") == 2
    else:
        assert found == classes


def test_shapes_differ_in_what_is_there_and_not_in_digits():
    def one(text: str) -> Shape:
        return shapes(message(text))[1]

    assert one("OBX|1|NM|1^X^L||72") is one("OBX|9|NM|1^X^L||98.6")
    assert one("PV1|1|I|A") is not one("PV2|1|I|A")
    assert one("OBX|1|NM|1^X^L||72") is not one("OBX|1|NM|1^X^L||seventy")


def test_digits_of_codes_that_name_a_person_matter():
    """45394-4 is a family name, 59408-5 a saturation: the same but for the digits."""
    name, reading = "OBX|1|ST|45394-4^a^LN||xxxx", "OBX|1|ST|59408-5^a^LN||xxxx"
    assert name.encode().translate(DIGITS) == reading.encode().translate(DIGITS)
    assert classes_present(message(name)) >= {"patient.name"}
    assert classes_present(message(reading)) >= {"note.text"}
    assert "patient.name" not in classes_present(message(reading))
    assert classes_present(message(name)) >= {"patient.name"}


def test_a_shape_memory_holds_no_value():
    secret = b"QUETZALCOATL"
    decoded = decode(b"MSH|^~\\&|||||||ADT^A01|1|P|2.6\rPID|||" + secret + b"\r")
    found = shapes(decoded)
    from oathward.protocols.hl7v2 import shapes as module

    kept = repr((found, module._interned, module._known))
    assert secret.decode() not in kept
    assert "PID" in kept


def test_short_and_odd_segments_are_uncatalogued_and_do_not_break():
    for text in ("A", "AB|x", "|", "P-D|secret", "ÄÖÜ|x"):
        assert "uncatalogued" in classes_present(message(text + "|y"))


@pytest.mark.parametrize("name", sorted(forms.FITS))
def test_forms_take_the_null_and_no_sentence(name: str):
    assert forms.FITS[name](b'""')
    assert not forms.FITS[name](b"Mr. Smith, who lives at the corner & has a dog?")


@pytest.mark.parametrize(
    ("system", "code", "text", "passes"),
    [
        ("MDC", "147842", "MDC_ECG_HEART_RATE", True),
        ("MDC", "152464", "MDC_CONC_AWAY_CO2_ET", True),
        ("MDC", "0", "MDCX_PUMP_DOSE", True),
        ("UCUM", "mm[Hg]", "mm[Hg]", True),
        ("HL70001", "F", "F", True),
        ("MDC", "147842", "Smith", False),
        ("MDC", "147842", "heart rate", False),
        ("MDC", "147842", "MDC_SMITH of bed 3", False),
        ("MDC", "147842", "XMDC_ECG", False),
        ("MDC", "147842", "MDC_ECG_4711004", False),  # a number of somebody in disguise
        ("MDC", "147842", "MDC_55_51_23", False),
        ("LN", "8867-4", "MDC_ECG_HEART_RATE", False),
        ("L", "HR", "MDC_ECG_HEART_RATE", False),
        ("L", "HR", "HR", False),
        ("LN", "8867-4", "Heart rate", False),
        ("HL70001", "F", "Female", False),
        # Shapes do not see digits: another number of as many digits would look like the code itself.
        ("SCT", "27268008", "27268008", False),
        ("SCT", "27268008", "19480113", False),
        ("LN", "8867-4", "5551-2", False),
        # not a code of its system: then its own words are no code either
        ("MDC", "SMITH", "MDC_ECG_HEART_RATE", False),
        ("SCT", "SMITH", "SMITH", False),
    ],
)
def test_display_text_says_no_more_than_the_code(system: str, code: str, text: str, passes: bool):
    verdict = "clinical.code" if passes else "note.text"
    assert leaf_classes(f"DG1|1||{code}^{text}^{system}", 3)[1] == verdict
    assert leaf_classes(f"DG1|1||^^^{code}^{text}^{system}", 3)[1] == verdict
    assert leaf_classes(f"DG1|1||^^^^^^^^^{code}^{text}^{system}", 3)[1] == verdict


def test_without_the_rule_a_name_beside_a_standard_code_passes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codes, "display", lambda system, code, _text: codes.standard(system, code))
    assert leaf_classes("DG1|1||I21^Smith^I10", 3) == ["clinical.code"] * 3


def test_standard_systems_want_their_own_codes():
    def known(system: str, code: str) -> bool:
        return codes.standard(system.encode().translate(DIGITS), code.encode().translate(DIGITS))

    good = (
        ("LN", "8867-4"),
        ("MDC", "147842"),
        ("SCT", "27268008"),
        ("I10", "I21.9"),
        ("I9C", "410.9"),
        ("HL70001", "F"),
    )
    bad = (
        ("LN", "SMITH"),
        ("MDC", "MR SMITH"),
        ("L", "8867-4"),
        ("99ZZZ", "1"),
        ("", "1"),
        ("SCT", "12"),
        ("I10", "JOHN"),
    )
    assert all(known(*pair) for pair in good)
    assert not any(known(*pair) for pair in bad)
