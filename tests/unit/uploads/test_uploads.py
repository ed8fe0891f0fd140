"""Promises about uploads: one that goes on is one row, each news is a record, a missing yes is a finding, no value gets in."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

import oathward.ledger.tables
import oathward.uploads.sql  # noqa: F401  declares its table
from oathward import uploading
from oathward.consent.choices import Choice
from oathward.consent.model import statement
from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import InputError
from oathward.uploads import actions, sheet, views
from oathward.uploads.model import Answer, Sighting, Source, UploadFilters

SITE = "north"
T = 1_800_000_000_000_000
HOUR = 3_600_000_000
VALUES = frozenset({"observation.value"})
SAID = Sighting("registry", "", "mon-1", "s", VALUES, "HRESCH", T - HOUR, T, Source.IMPORTED, "flow:77")


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield engine
    engine.dispose()


def see(engine, *said):
    with write(engine) as db:
        return actions.see(db, SITE, said, by="p-9", now_us=T)


def records(engine):
    with read(engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").fetchall()
    return [(kind, json.loads(body)["body"]) for kind, body in rows]


def test_seen_again_it_is_one_and_only_news_is_on_record(engine):
    [row] = see(engine, SAID)
    later = replace(SAID, seen_us=T + 1)
    assert see(engine, later)[0].id == row.id
    assert [kind for kind, _ in records(engine)] == ["upload.seen"]
    more = replace(SAID, classes=frozenset({"observation.code"}), since_us=T - 2 * HOUR)
    [now] = see(engine, more)
    assert (now.id, now.sighting.classes, now.sighting.since_us, now.sighting.seen_us) == (
        row.id, VALUES | {"observation.code"}, T - 2 * HOUR, T + 1,
    )  # fmt: skip
    for another in (
        replace(SAID, purpose=""),
        replace(SAID, subject=""),
        replace(SAID, party="", maker="Acme"),
    ):
        assert see(engine, another)[0].id != row.id
    assert see(engine, replace(SAID, party="", maker="ACME"))[0].id == see(engine, replace(SAID, party="", maker="Acme"))[0].id  # fmt: skip


def test_one_that_is_over_is_over_once_and_seen_anew_is_another(engine):
    [row] = see(engine, SAID)
    for reason in ("", "conflict"):
        with write(engine) as db:
            if not reason:
                actions.end(db, SITE, row.id, by="p-9", now_us=T)
                continue
            with pytest.raises(InputError) as error:
                actions.end(db, SITE, row.id, by="p-9", now_us=T)
            assert error.value.reason.code == reason
    assert see(engine, SAID)[0].id != row.id
    with read(engine) as db:
        assert [one.id for one in views.listed(db, SITE, UploadFilters(ended=True))] == [row.id]


def test_a_missing_yes_is_a_finding_once_an_answer(engine):
    [row] = see(engine, SAID)
    for answer in (Answer.NEVER_ASKED, Answer.NEVER_ASKED, Answer.DENIED, Answer.ALLOWED):
        with write(engine) as db:
            actions.compared(db, SITE, {row.id: answer}, now_us=T)
    told = [(kind, body.get("answer") or body.get("finding")) for kind, body in records(engine)[1:]]
    assert told == [
        ("upload.compared", "never-asked"),
        ("finding.raised", "upload.never-asked"),
        ("upload.compared", "denied"),
        ("finding.raised", "upload.denied"),
        ("upload.compared", "allowed"),
    ]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"party": "", "maker": ""}, "party"),
        ({"maker": "Acme"}, "party"),
        ({"party": "", "maker": "=cmd()"}, "maker"),
        ({"party": "", "maker": "x" * 81}, "maker"),
        ({"party": "", "maker": "a\nb"}, "maker"),
        ({"classes": frozenset()}, "classes"),
        ({"classes": frozenset({"Zebulonova"})}, "classes"),
        ({"purpose": "FUN"}, "purpose"),
        ({"since_us": T + 1}, "first"),
        ({"since_us": 0}, "first"),
        ({"seen_us": T + HOUR}, "last"),
        ({"evidence": "Maria Zebulonova"}, "evidence"),
        ({"evidence": "x" * 65}, "evidence"),
    ],
)
def test_what_is_wrong_is_told_by_its_field_and_nothing_is_kept(engine, wrong, field):
    with write(engine) as db, pytest.raises(InputError) as error:
        actions.see(db, SITE, [SAID, replace(SAID, **wrong)], by="p-9", now_us=T)
    assert error.value.where == field
    assert "Zebulonova" not in str(error.value)
    assert records(engine) == []


def test_an_erased_patient_leaves_no_row(engine):
    see(engine, SAID, replace(SAID, subject="other"))
    with write(engine) as db:
        actions.forget(db, SITE, ["s"])
    with read(engine) as db:
        assert [one.sighting.subject for one in views.listed(db, SITE, UploadFilters())] == ["other"]


# --- the patient's word


def choice(**more):
    return Choice(**{"kind": "use", "purpose": "HRESCH", "recipient": "registry", "links": ("l",), "classes": VALUES, "asked": VALUES, "state": "allowed"} | more)  # fmt: skip


def answer(*choices, said=SAID, statements=()):
    return uploading.answer_of(said, SimpleNamespace(choices=choices, statements=statements))


def denial(mark):
    one = statement(
        permit=False, purposes=("HRESCH",), recipients=("registry",), classes=("*",), source="portal"
    )
    return replace(one, origins=frozenset((mark,)))


def test_the_narrower_word_counts():
    shut = choice(state="not-allowed")
    assert answer(choice()) is Answer.ALLOWED
    assert answer(shut) is Answer.NEVER_ASKED
    assert answer(shut, statements=[denial(shut.mark)]) is Answer.DENIED
    assert answer(choice(state="not-allowed", elsewhere=("x",))) is Answer.DENIED
    assert answer(choice(state="partly")) is Answer.NEVER_ASKED
    assert answer(choice(kind="law")) is Answer.LAW
    assert answer(choice(classes=frozenset())) is Answer.NEVER_ASKED, "a class nobody spoke of"
    assert answer(choice(kind="law", classes=frozenset())) is Answer.NEVER_ASKED
    assert answer(choice(recipient="other")) is Answer.NEVER_ASKED
    assert answer(choice(purpose="HPAYMT")) is Answer.NEVER_ASKED
    assert answer(choice(), said=replace(SAID, party="", maker="Acme")) is Answer.NEVER_ASKED


def test_where_the_purpose_is_not_known_each_choice_must_allow_it():
    open_ = replace(SAID, purpose="")
    assert answer(choice(), choice(purpose="HPAYMT"), said=open_) is Answer.ALLOWED
    assert answer(choice(), choice(purpose="HPAYMT", state="not-allowed", elsewhere=("x",)), said=open_) is Answer.DENIED  # fmt: skip


# --- files

HEAD = "party,device,classes,first,last,evidence\n"
LINE = "registry,mon-1,observation.*,2026-05-04T07:00Z,2026-05-04T08:00Z,flow:77\n"


def test_csv_and_lines_of_json_say_the_same():
    row = {"party": "registry", "device": "mon-1", "classes": ["observation.*"], "first": "2026-05-04T07:00Z", "last": "2026-05-04T08:00Z", "evidence": "flow:77"}  # fmt: skip
    one, other = (sheet.parse(raw, T) for raw in ((HEAD + LINE).encode(), json.dumps(row).encode()))
    assert one[1] == other[1] == []
    assert one[0][0][1] == other[0][0][1]
    assert (one[0][0][0], other[0][0][0], one[0][0][1].source) == (2, 1, Source.IMPORTED)


@pytest.mark.parametrize(
    ("raw", "line", "column", "code"),
    [
        (b"", 0, "", "input.invalid"),
        (b"\xff", 0, "", "input.invalid"),
        (b"x" * (sheet.BYTES_MAX + 1), 0, "", "message.limit-exceeded"),
        ((HEAD + LINE * (actions.SEEN_MAX + 1)).encode(), 0, "", "message.limit-exceeded"),
        (b"name,party\nZebulonova,registry\n", 0, "", "input.invalid"),
        (HEAD.encode() + b'"open', 0, "", "input.invalid"),
        (b'{"party": "registry", "name": "Zebulonova"}', 0, "", "input.invalid"),
        (b'{"party": ', 0, "", "input.invalid"),
        (b'{"party": {"a": 1}}', 1, "party", "input.invalid"),
        ((HEAD + LINE.replace("observation.*", "Zebulonova")).encode(), 2, "classes", "input.invalid"),
        ((HEAD + LINE.replace("2026-05-04T07:00Z", "Zebulonova")).encode(), 2, "first", "input.invalid"),
        ((HEAD + LINE + LINE.replace("flow:77", "=HYPERLINK(1)")).encode(), 3, "evidence", "input.invalid"),
        ((HEAD + LINE.replace("mon-1", "x" * 401)).encode(), 2, "device", "input.invalid"),
    ],
)
def test_a_hostile_file_is_refused_whole_by_place_and_reason(raw, line, column, code):
    found, mistakes = sheet.parse(raw, T)
    assert found == []
    assert (mistakes[0].line, mistakes[0].column) == (line, column)
    assert mistakes[0].code == code
    assert "Zebulonova" not in str(mistakes)
