"""Promises of the emergency copy in use: without the main system it shows what was proved, each reading on a log that holds."""

import http.client
import json
import re
import threading

import pytest
from tests import emergency
from tests.care import peopled, person
from tests.site import Site, bundle, local

from oathward.core.db import read as reading_db
from oathward.core.errors import InputError, KeeperError, VaultError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.emergency import compare, log, pages, words
from oathward.emergency.log import Log, Reader
from oathward.emergency.reading import Readings
from oathward.vault.emergency import copies, keys
from oathward.vault.keeper import client

WHO = Reader("Nurse Okoro", "treatment", "bed 7, says Zebulonova")
PEOPLE = [(person("p-privacy"), [Role.PRIVACY_OFFICER]), (person("p-clinician"), [Role.CLINICIAN])]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"), more='[emergency]\npublic_key_file = "emergency.pub"\n')
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as found:
        found.safe = tmp_path_factory.mktemp("safe")
        found.key = emergency.give_key(found.keeper, found.safe)
        found.icu = emergency.admitted(found.gate)
        found.ward = emergency.admitted(
            found.gate, place="WARD^2^B^HOSP", values=(88,), name="Quagmire^Ottilie"
        )
        yield found


@pytest.fixture
def copy(world, tmp_path):
    made = emergency.make(world.keeper, tmp_path)
    with copies.open_copy(tmp_path / made.file, world.key.trust) as found:
        yield found


@pytest.fixture
def readings(world, copy):
    return Readings(copy, world.key, Log(copy.path.parent / "readings.log", world.key), WHO)


def logged(world, copy):
    return log.read(copy.path.parent / "readings.log", world.key)


def later(copy, minutes=5):
    return copy.manifest.made_us + minutes * 60_000_000


def test_it_lists_wards_and_shows_a_patient_as_the_page_does(world, copy, readings):
    found = readings.wards(later(copy))
    assert {ward: [one.section.subject for one in some] for ward, some in found.items()} == {
        "HOSP|ICU": [world.icu.subject],
        "HOSP|WARD": [world.ward.subject],
    }
    assert found["HOSP|ICU"][0].called.name.reveal() == "Quixotella Zebulonova"
    shown = readings.patient(world.icu.subject, later(copy))
    [row] = shown.rows
    assert (row.latest.name, row.latest.value.reveal()) == ("Heart rate (ECG)", "62")
    assert [number for _, number in row.points] == [61.0, 62.0]
    assert shown.listed.called.born.reveal() == "1931-02-03"


def test_each_reading_is_on_the_log_sealed_and_chained(world, copy, readings):
    readings.wards(later(copy))
    readings.patient(world.icu.subject, later(copy))
    found = logged(world, copy)
    assert found.broken == ""
    assert [(one.n, one.what, one.subject) for one in found.readings] == [
        (1, "list", ""),
        (2, "patient", world.icu.subject),
    ]
    assert (found.readings[1].reader, found.readings[1].reason, found.readings[1].age_s) == (
        "Nurse Okoro",
        "treatment",
        300,
    )
    raw = (copy.path.parent / "readings.log").read_bytes()
    for word in ("Okoro", "treatment", "Zebulonova", world.icu.subject):
        assert word.encode() not in raw


def test_nothing_is_shown_where_the_log_cannot_be_written(world, copy, readings, monkeypatch):
    def full(*_):
        raise VaultError("readings.log", "full", reason=Reason.STORAGE_FAILED)

    monkeypatch.setattr(Log, "_append", full)
    opened = []
    monkeypatch.setattr(Readings, "_open", lambda *arguments: opened.append(arguments))
    with pytest.raises(VaultError):
        readings.patient(world.icu.subject, later(copy))
    assert not opened, "the log comes first"
    status, _, body = pages.Pages(readings, lambda: later(copy)).answer("/x")
    assert (status, body) == (404, b"no such page\n")


def changed(lines):
    raw = bytearray(lines[2])
    at = raw.index(b'"sealed":"') + 60
    raw[at] = ord("A") if raw[at] != ord("A") else ord("B")
    return [*lines[:2], bytes(raw), *lines[3:]]


BREAKS = [
    (changed, "line 3"),
    (lambda lines: [*lines[:1], *lines[2:]], "line 2"),
    (lambda lines: [*lines[:1], lines[2], lines[1], *lines[3:]], "line 2"),
    (lambda lines: [*lines[:2], lines[1], *lines[2:]], "line 3"),
    (lambda lines: lines[:3], "lines are missing after 3"),
    (lambda lines: [lines[0].replace(b'"site"', b'"Site"'), *lines[1:]], ""),
    (lambda lines: [*lines[:-1], lines[-1][:-40]], "line 5"),
]


@pytest.mark.parametrize(("harm", "where"), BREAKS)
def test_a_changed_log_is_noticed_where_it_breaks_and_is_not_written_on(world, copy, readings, harm, where):
    for _ in range(4):
        readings.patient(world.icu.subject, later(copy))
    path = copy.path.parent / "readings.log"
    path.write_bytes(b"\n".join(harm(path.read_bytes().splitlines())) + b"\n")
    assert logged(world, copy).broken == where
    if where:
        with pytest.raises(VaultError) as no:
            readings.patient(world.icu.subject, later(copy))
        assert no.value.reason is Reason.EMERGENCY_LOG_BROKEN


@pytest.mark.parametrize(
    "who",
    [
        Reader("", "treatment"),
        Reader("x\ny", "treatment"),
        Reader("Okoro", "curious"),
        Reader("Okoro", "drill", "w" * 501),
    ],
)
def test_who_names_neither_themselves_nor_why_reads_nothing(who):
    with pytest.raises(InputError):
        who.check()


@pytest.mark.parametrize("at", [0, 40, 300, -1, -20, -400])
def test_a_copy_with_one_changed_bit_does_not_verify(world, copy, at, tmp_path):
    raw = bytearray(copy.path.read_bytes())
    raw[at] ^= 1
    path = tmp_path / "changed"
    path.write_bytes(bytes(raw))
    with pytest.raises(VaultError) as no, copies.open_copy(path, world.key.trust) as found:
        copies.check_sections(found)
    assert no.value.reason is Reason.EMERGENCY_COPY_BROKEN


@pytest.mark.parametrize("cut", [0, 10, 200, 1_500])
def test_half_a_copy_is_none(world, copy, cut, tmp_path):
    path = tmp_path / "half"
    path.write_bytes(copy.path.read_bytes()[:cut])
    with pytest.raises(VaultError) as no:
        copies.open_copy(path, world.key.trust)
    assert no.value.reason is Reason.EMERGENCY_COPY_BROKEN


def test_a_section_put_in_anothers_place_is_noticed(world, copy, tmp_path):
    first, second = copy.manifest.sections
    raw = copy.path.read_bytes()
    one, two = (raw[s.at : s.at + s.length] for s in (first, second))
    path = tmp_path / "swapped"
    path.write_bytes(raw.replace(one + two, two + one))
    with copies.open_copy(path, world.key.trust) as found, pytest.raises(VaultError):
        copies.check_sections(found)


def test_a_wrong_passphrase_and_a_changed_key_file_open_nothing(world, tmp_path):
    file = world.safe / "emergency.key"
    table = json.loads(file.read_bytes())
    with pytest.raises(VaultError) as no:
        keys.unlock(file, "a lamp in every corridoR")
    assert (no.value.reason, no.value.reason.answer.exit_code) == (Reason.EMERGENCY_PASSPHRASE, 77)
    other = tmp_path / "other.key"
    other.write_text(json.dumps(table | {"witness": table["authority"]}))
    other.chmod(0o600)
    with pytest.raises(VaultError) as no:
        keys.unlock(other, emergency.PASSPHRASE)
    assert no.value.reason is Reason.EMERGENCY_PASSPHRASE
    other.chmod(0o644)
    with pytest.raises(InputError):
        keys.unlock(other, emergency.PASSPHRASE)
    assert b"PRIVATE" not in file.read_bytes()
    with pytest.raises(InputError):
        keys.create(file, tmp_path / "p", emergency.PASSPHRASE, world.key.trust)
    with pytest.raises(InputError):
        keys.create(tmp_path / "k", tmp_path / "p", "too short", world.key.trust)


@pytest.mark.parametrize(
    ("before_us", "said"),
    [
        (30_000_000, "30 s"),
        (3_600_000_000, "60 min"),
        (10 * 3_600_000_000, "10 h 0 min"),
        (4 * 86_400_000_000, "4 days"),
        (-3_600_000_000, "a time ahead of this machine's clock (one of the two is wrong)"),
    ],
)
def test_an_age_is_told_and_a_clock_that_differs_is_said(before_us, said):
    assert words.age(10**15 - before_us, 10**15) == said


def get(port, path, host=None):
    talk = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    talk.request("GET", path, headers={"Host": host} if host else {})
    answer = talk.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()


def test_the_pages_show_it_on_loopback_alone_with_the_age_on_each_and_no_script(world, copy, readings):
    made = pages.Pages(readings, lambda: later(copy, 90))
    with pages.server(made) as serving:
        assert serving.server_address[0] == "127.0.0.1"
        port = serving.server_address[1]
        threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        status, headers, listed = get(port, f"/{made.token}/")
        assert status == 200
        assert "Quixotella Zebulonova" in listed
        path = re.search(rf'href="(/{re.escape(made.token)}/patient/{world.icu.subject})"', listed).group(1)
        patient = get(port, path)[2]
        for page in (listed, patient, get(port, f"/{made.token}/patient/nobody")[2]):
            assert "Made 90 min ago" in page
            assert "<script" not in page
        assert "Heart rate (ECG)" in patient
        assert ">62 /min<" in patient
        assert headers["Cache-Control"] == "no-store"
        assert "script" not in headers["Content-Security-Policy"]
        before = len(logged(world, copy).readings)
        assert [get(port, one)[0] for one in ("/", "/wrong/", f"/wrong/patient/{world.icu.subject}")] == [
            404
        ] * 3
        assert get(port, path, host="evil.example")[0] == 421
        assert len(logged(world, copy).readings) == before, "who may not see leaves no reading"
        serving.shutdown()


def entries(world, kind):
    with reading_db(world.gate.engine) as db:
        rows = db.exec_driver_sql(f"SELECT body FROM ledger_record WHERE kind = '{kind}' ORDER BY idx")
        return [json.loads(body) for (body,) in rows]


def plain(found):
    return [
        {n: getattr(one, n) for n in ("n", "at_us", "subject", "run", "age_s", "reader", "reason", "what")}
        for one in found.readings
    ]


def test_what_was_read_is_on_record_once_with_who_when_why_whom_and_how_old(world, copy, readings):
    readings.wards(later(copy))
    readings.patient(world.icu.subject, later(copy))
    found = logged(world, copy)
    before = len(entries(world, "copy.read"))
    with client.connect(world.site.settings, "admin", become=False) as admin:
        who = world.enter("p-privacy", strong=True)
        assert admin.copies.reconcile(found.id, plain(found), "", who) == {"known": 0, "recorded": 2}
        assert admin.copies.reconcile(found.id, plain(found), "", who) == {"known": 2, "recorded": 0}
        readings.patient(world.ward.subject, later(copy))
        assert admin.copies.reconcile(found.id, plain(logged(world, copy)), "", who) == {
            "known": 2,
            "recorded": 1,
        }
        with pytest.raises(KeeperError) as no:
            admin.copies.reconcile(found.id, plain(found), "", world.enter("p-clinician", strong=True))
    assert no.value.reason is Reason.ACCESS_ROLE
    made = entries(world, "copy.read")[before:]
    assert [one["subject"] for one in made] == ["", world.icu.subject, world.ward.subject]
    said = made[1]["body"]
    assert (said["purpose"], said["reader"], said["reason"], said["copy_age_s"], said["copy"]) == (
        *("ETREAT", "Nurse Okoro", "treatment", 300, copy.manifest.run),
    )
    assert said["at"] == later(copy)
    assert "Zebulonova" not in json.dumps(made), "words stay sealed in the log"


def test_a_log_that_breaks_or_became_shorter_is_a_finding_once(world, copy, readings):
    for _ in range(3):
        readings.wards(later(copy))
    found = logged(world, copy)

    def findings():
        return [
            one["body"]["where"]
            for one in entries(world, "finding.raised")
            if one["body"].get("log") == found.id
        ]

    with client.connect(world.site.settings, "admin", become=False) as admin:
        who = world.enter("p-privacy", strong=True)
        admin.copies.reconcile(found.id, plain(found), "", who)
        assert findings() == []
        for _ in range(2):
            admin.copies.reconcile(found.id, plain(found)[:2], "", who)
        assert findings() == ["ends at 2"]
        admin.copies.reconcile(found.id, plain(found), "line 5", who)
        assert findings() == ["ends at 2", "line 5"]


def test_compared_with_the_system_each_patient_has_an_answer(world, tmp_path):
    patients = {
        word: emergency.admitted(world.gate) for word in ("same", "newer", "older", "missing", "different")
    }
    made = emergency.make(world.keeper, tmp_path)
    emergency.measured(world.gate, patients["newer"].mrn, 90)

    def harm(sql, *values):
        with world.gate.engine.begin() as db:
            db.exec_driver_sql(sql, values)

    harm("DELETE FROM kept_body WHERE message = ?", patients["older"].messages[-1])
    harm("DELETE FROM kept_body WHERE subject = ?", patients["missing"].subject)
    harm("UPDATE kept_body SET sha256 = x'00' WHERE message = ?", patients["different"].messages[0])
    with copies.open_copy(tmp_path / made.file, world.key.trust) as copy, reading_db(world.gate.engine) as db:
        sections = {one.subject: one for one in copy.manifest.sections}
        answers = {
            word: compare.compare(db, world.gate.site, sections[one.subject])
            for word, one in patients.items()
        }
    for one in patients.values():
        emergency.discharged(world.gate, one)
    assert answers == {word: word for word in patients}
