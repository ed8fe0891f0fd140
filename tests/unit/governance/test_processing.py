"""The record of processing has every column of Art. 30(1), says where each cell comes from, and names what is missing."""

from dataclasses import replace

import pytest
from tests.unit.governance.office import DUA, REGISTRY

from oathward.governance import written
from oathward.governance.model import AgreementKind, EntryKind
from oathward.governance.processing import COLUMNS, gaps, record, role_of

ART_30_1 = ("(a)", "(b)", "(c)", "(d)", "(e)", "(f)", "(g)")


def row_of(office, id_=REGISTRY):
    return next(row for row in record(office.register()) if row.id == id_)


def test_every_column_of_the_article_is_there_and_every_cell_says_something(office):
    for part in ART_30_1:
        assert any(f"Art. 30(1){part}" in head for head in COLUMNS.values()), part
    rows = record(office.register())
    assert {row.id for row in rows if row.kind is EntryKind.LINK} == set(office.bundle.links) - {"keep"}
    for row in rows:
        assert list(row.cells) == list(COLUMNS)
        for key, cell in row.cells.items():
            assert cell.missing or (cell.text and cell.source), (row.id, key)


def test_what_is_missing_is_named_with_where_to_write_it(office):
    missing = {(where, what) for id_, where, what in gaps(record(office.register())) if id_ == REGISTRY}
    words = " ".join(what for _, what in missing)
    for wanted in (
        "[governance] controller",
        "`oathward governance agreement add`",
        "`--country`",
        f"link/{REGISTRY}",
    ):
        assert wanted in words


def test_a_row_is_whole_once_all_was_written(office):
    (office.folder / "oathward.toml").write_text(
        '[governance]\ncontroller = "Hospital, Main Street 1"\nprotection_officer = "dpo@example.org"\ncountry = "DE"\n'
    )
    office.__post_init__()
    office.agree()
    office.change(owner="p-ann", steward="p-bob")
    assert [gap for gap in gaps(record(office.register())) if gap[0] == REGISTRY] == []
    cells = row_of(office).cells
    assert cells["transfers"].text == "US: standard contractual clauses"
    assert cells["owner"].text == "owner Name of p-ann; steward Name of p-bob"
    assert "Example University" in cells["recipients"].text


def test_a_transfer_without_safeguards_lacks_them(office):
    (office.folder / "oathward.toml").write_text('[governance]\ncountry = "DE"\n')
    office.__post_init__()
    office.agree(replace(DUA, safeguards=""))
    assert row_of(office).cells["transfers"].missing.startswith("safeguards of a transfer to US")
    office.agree(replace(DUA, country="DE", safeguards=""), changes=True)
    assert row_of(office).cells["transfers"].text == "none: DE"


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (AgreementKind.DPA, "processor"),
        (AgreementKind.BAA, "processor"),
        (AgreementKind.JOINT, "joint controller"),
        (AgreementKind.DUA, "recipient"),
    ],
)
def test_the_role_of_a_party_follows_from_its_agreement(office, kind, role):
    assert role_of(replace(DUA, kind=kind), office.recipient).text == f"Example University: {role}"


def test_without_a_true_agreement_no_role_is_told(office):
    assert role_of(None, office.recipient).missing
    service = role_of(replace(DUA, kind=AgreementKind.SERVICE), office.recipient)
    assert service.missing, "a service agreement does not say whether it makes a processor"
    assert role_of(None, replace(office.recipient, external=False)).text.endswith(": controller")


def test_persons_and_data_are_those_that_may_pass(office):
    cells = row_of(office).cells
    assert cells["persons"].text == "patients"
    assert "observation.*" in cells["data"].text
    assert "patient.name" not in cells["data"].text


def test_it_is_written_as_csv_text_and_a_page_that_runs_nothing(office):
    evil = replace(DUA, party="Example University", safeguards='=cmd|"<script>alert(1)</script>')
    office.agree(evil)
    rows = record(office.register())
    page, csv = written.html(rows, "demo", "now"), written.csv(rows, "demo", "now")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert len(csv.splitlines()) >= len(rows) + 1
    assert all(head in csv for head in ("Art. 30(1)(a)", "Art. 30(1)(g)"))
    assert "MISSING: [governance] controller" in written.text(rows, "demo", "now")
