"""Promises of ``consent record`` and ``import``: what a patient withdrew is neither written over nor taken back by a replay."""

import pytest
from tests.unit.cli.test_consent_fhir import SECRET, stands
from tests.unit.cli.test_consent_import import command, lines, oathward, of

from oathward.cli import asking, consent_import, consents
from oathward.consent.model import statement

__all__ = ["command", "oathward"]
NO = statement(permit=False, purposes=("HRESCH",), recipients=("*",), classes=("*",), source="portal")


@pytest.fixture
def meanwhile(monkeypatch):
    """Let somebody say something between draft and signature, so many times; gives how often it was."""
    came = []

    def let(module, said, times=1):
        good = module.sign

        def sign(site, drafts, person):
            if len(came) < times and drafts:
                came.append(drafts[0].id)
                with monkeypatch.context() as apart:
                    apart.setattr(asking, "sign", good)
                    consents.store(site, {drafts[0].id: [said(len(came))]}, "patient", replaces=False)
            return good(site, drafts, person)

        monkeypatch.setattr(module, "sign", sign)
        return came

    return let


def no(_count):
    return NO


def another(count):
    return statement(permit=False, purposes=("HRESCH",), recipients=(f"r-{count}",), classes=("*",))


def record(command, *more):
    words = ("--permit", "--purpose", "HRESCH", "--recipient", "*", "--class", "*", *more)
    return command("record", *words, "--identifier-file", "-", stdin=f"{SECRET}^^^HOSP^MR\n")


def test_a_withdrawal_while_a_permit_is_recorded_stands_beside_it(command, meanwhile):
    came = meanwhile(asking, no)
    assert record(command).code == 0
    assert len(came) == 1
    assert sorted(stands(command)) == [False, True]


def test_a_withdrawal_while_consents_are_imported_stands_beside_them(command, meanwhile):
    came = meanwhile(consent_import, no)
    done = command("import", "--fhir", "-", stdin=lines(of(SECRET, "a"), of("5001", "b")))
    assert (done.code, len(came)) == (0, 1)
    assert done.value["recorded"] == 2
    assert sorted(stands(command)) == [False, True, True]


@pytest.mark.parametrize("how", ["record", "import"])
def test_what_is_to_replace_everything_replaces_nothing_that_nobody_saw(command, meanwhile, how):
    meanwhile(asking if how == "record" else consent_import, no)
    if how == "record":
        done = record(command, "--replace")
    else:
        done = command("import", "--fhir", "-", "--replace", stdin=lines(of(SECRET, "a")))
    assert done.code != 0
    assert "conflict" in done.error
    assert stands(command) == [False]


def test_who_never_gets_a_turn_is_told_and_nothing_is_lost(command, meanwhile):
    meanwhile(asking, another, times=100)
    done = record(command)
    assert done.code != 0
    assert "conflict" in done.error
    assert set(stands(command)) == {False}


@pytest.mark.parametrize("withdrawal", [{"type_": "deny"}, {"status": "inactive"}])
def test_a_consent_that_was_taken_back_permits_nothing_when_it_comes_again(command, withdrawal):
    first, second = lines(of(SECRET, "a")), lines(of(SECRET, "a", **withdrawal))
    for one in (first, second):
        command("import", "--fhir", "-", stdin=one)
    before = stands(command)
    assert True not in before
    for arguments in (("--dry-run",), (), ()):
        done = command("import", "--fhir", "-", *arguments, stdin=first)
        assert (done.code, done.value["would_record"], done.value["replayed"]) == (0, 0, ["-"])
        assert stands(command) == before
    assert command("import", "--fhir", "-", stdin=second).value["replayed"] == []
    again = lines(of(SECRET, "a", dateTime="2026-03-01"))
    assert command("import", "--fhir", "-", stdin=again).value["replayed"] == []
    assert stands(command) == [True], "a new version is no replay"


SINCE, BEFORE = {"dateTime": "2026-02-01"}, {"dateTime": "2026-01-01"}


@pytest.mark.turns(3, "withdrawal", "known", "late")  # each way to be late, with each withdrawal
@pytest.mark.parametrize("withdrawal", [{"type_": "deny"}, {"status": "inactive"}])
@pytest.mark.parametrize("known", [True, False], ids=["known", "not known before"])
@pytest.mark.parametrize(
    "late",
    [BEFORE, {}, {"meta": {"lastUpdated": "2026-01-31T23:59:59Z"}, "dateTime": "2026-03-01"}],
    ids=["of a day before", "of no day", "stored before"],
)
def test_an_older_version_that_comes_after_the_withdrawal_permits_nothing(command, withdrawal, known, late):
    if known:
        command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", dateTime="2025-12-01")))
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", **withdrawal, **SINCE)))
    before = stands(command)
    assert True not in before
    done = command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", **late)))
    assert (done.code, done.value["recorded"], done.value["replayed"]) == (0, 0, ["-"])
    assert stands(command) == before
    done = command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", dateTime="2026-03-02")))
    assert done.value["replayed"] == []
    assert stands(command) == [True]


def test_the_time_of_a_withdrawal_outlasts_what_is_said_otherwise_meanwhile(command):
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", status="inactive", **SINCE)))
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "other", "deny")))
    done = command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", **BEFORE)))
    assert done.value["replayed"] == ["-"]
    assert stands(command) == [False]


def test_a_denial_of_a_day_to_come_keeps_out_nothing_that_is_said_after_it(command):
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", "deny", dateTime="2999-01-01")))
    later = {"meta": {"lastUpdated": "2998-01-01T00:00:00Z"}}
    assert command("import", "--fhir", "-", stdin=lines(of(SECRET, "a", **later))).value["replayed"] == []


def test_a_denial_that_comes_again_counts_beside_what_took_its_place(command):
    first, second = lines(of(SECRET, "a", "deny")), lines(of(SECRET, "a"))
    for one in (first, second, first):
        command("import", "--fhir", "-", stdin=one)
    assert sorted(stands(command)) == [False, True]


def test_a_replay_that_is_to_replace_everything_is_what_somebody_says_now(command):
    first, second = lines(of(SECRET, "a")), lines(of(SECRET, "a", "deny"))
    for one in (first, second):
        command("import", "--fhir", "-", stdin=one)
    command("import", "--fhir", "-", "--replace", stdin=first)
    assert stands(command) == [True]
