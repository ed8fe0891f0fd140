"""``oathward people`` on a real data folder, the keeper in this process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oathward.cli.main import run
from oathward.core.db import connect, read
from oathward.core.settings import load
from oathward.people.scim_words import USER

TWO = "number,name,mail,units\n17,Anna Berg,anna@h.example,ICU\n18,Bert Olsen,bert@h.example,Ward 3\n"
Command = Callable[..., Any]


@pytest.fixture
def command(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    def go(*arguments: str, stdin: str = "", words: bool = False) -> Any:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        code = run([*arguments, "--data", str(data), *(() if words else ("--json",))])
        out, err = capsys.readouterr()
        value = json.loads(out) if out.strip() and not words else None
        return SimpleNamespace(code=code, value=value, out=out, error=err)

    return go


def numbers(changes: list[dict[str, Any]]) -> list[str]:
    return [change["number"] for change in changes]


def kinds(data: Path) -> list[str]:
    with read(connect(load(data).database_url)) as db:
        rows = db.exec_driver_sql("SELECT kind FROM ledger_record WHERE kind LIKE 'person%' ORDER BY idx")
        return [kind for (kind,) in rows]


def widened(data: Path) -> list[list[str]]:
    with read(connect(load(data).database_url)) as db:
        rows = db.exec_driver_sql("SELECT body FROM ledger_record WHERE kind = 'person.changed' ORDER BY idx")
        bodies = [json.loads(body)["body"] for (body,) in rows]
    return [body["widened"] for body in bodies if "widened" in body]


class TestImport:
    def test_a_dry_run_changes_nothing_the_import_then_does_what_it_said(
        self, command: Command, data: Path
    ) -> None:
        said = command("people", "import", "-", "--dry-run", stdin=TWO).value
        assert command("people", "list").value == {"people": []}
        done = command("people", "import", "-", stdin=TWO).value
        assert numbers(said["joiners"]) == numbers(done["joiners"]) == ["17", "18"]
        assert [one["number"] for one in command("people", "list").value["people"]] == ["17", "18"]
        assert kinds(data) == ["person.joined", "person.joined"]
        moved = command("people", "import", "-", stdin="number,units\n17,Ward 3\n").value
        assert moved["movers"][0]["changes"] == ["units"]

    def test_a_list_written_for_one_person_is_by_hand_a_longer_one_is_none(
        self, command: Command, data: Path
    ) -> None:
        command("people", "import", "-", stdin=TWO)
        command("people", "import", "-", stdin="number,units\n17,Ward 1\n18,Ward 1\n")
        command("people", "import", "-", "--everyone", stdin="number,units\n17,Ward 2\n18,Ward 1\n")
        assert widened(data) == []
        command("people", "import", "-", stdin="number,units\n17,Ward 3\n")
        assert widened(data) == [["units"]]

    def test_every_mistake_at_once_and_nothing_done(self, command: Command) -> None:
        done = command("people", "import", "-", stdin="number,name,mail\n17,Anna,x\n,Bert,\n")
        assert done.code == 65
        places = [(e["line"], e["column"], e["reason"]) for e in done.value["errors"]]
        assert places == [(2, "mail", "input.invalid"), (3, "number", "input.invalid")]
        assert command("people", "list").value == {"people": []}
        told = command(
            "people", "import", "-", stdin="number,name,mail\n17,Anna,x\n18,Bert,b@h.example\n", words=True
        )
        assert "Nothing was done, and nothing would be" in told.out
        assert "join" not in told.out, "what comes to nothing is not counted"

    def test_a_list_of_everyone_that_was_cut_off_is_refused(self, command: Command) -> None:
        command("people", "import", "-", stdin=TWO)
        one = "number,name\n17,Anna Berg\n"
        refused = command("people", "import", "-", "--everyone", stdin=one)
        assert (refused.code, refused.value["errors"][0]["reason"]) == (65, "people.many-leave")
        done = command("people", "import", "-", "--everyone", "--many-leave", stdin=one)
        assert (done.code, numbers(done.value["leavers"])) == (0, ["18"])

    def test_scim_users_come_in_as_a_list_too(self, command: Command) -> None:
        users = [{"schemas": [USER], "userName": "anna@h.example", "externalId": "17", "displayName": "Anna"}]
        done = command("people", "import", "-", stdin="\ufeff" + json.dumps(users))
        assert (done.code, numbers(done.value["joiners"])) == (0, ["17"])
        again = command("people", "import", "-", stdin=json.dumps(users))
        assert again.value["unchanged"] == 1

    def test_people_read_words(self, command: Command) -> None:
        told = command("people", "import", "-", "--dry-run", stdin=TWO, words=True).out
        assert "joins  17  Anna Berg" in told
        assert "2 would join, 0 would move, 0 would leave, 0 as before. Nothing was changed." in told
        told = command("people", "import", "-", stdin="number\n17\n", words=True).out
        assert "line 2, name: who is new needs a name [input.invalid]" in told


class TestPeople:
    def test_show_finds_by_number_and_address_and_leaving_is_once(self, command: Command) -> None:
        command("people", "import", "-", stdin=TWO)
        shown = command("people", "show", "anna@h.example").value
        assert (shown["number"], shown["units"], shown["signed"]) == ("17", ["ICU"], "yes")
        assert command("people", "show", "nobody").code == 66
        assert command("people", "leave", "17").value["state"] == "left"
        assert command("people", "leave", "17").code == 65
        assert [one["number"] for one in command("people", "list", "--state", "active").value["people"]] == [
            "18"
        ]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            (("--unit", "ICU"), ["17"]),
            (("--find", "olsen"), ["18"]),
            (("--role", "auditor"), []),
            (("--party", ""), ["17", "18"]),
        ],
    )
    def test_list_is_narrowed(self, command: Command, asked: tuple[str, ...], found: list[str]) -> None:
        command("people", "import", "-", stdin=TWO)
        assert [one["number"] for one in command("people", "list", *asked).value["people"]] == found

    def test_a_word_nothing_bears_is_refused(self, command: Command) -> None:
        refused = command("people", "list", "--role", "auditer")
        assert refused.code == 65
        assert "auditor" in refused.error

    def test_a_site_without_people_has_nobody_to_approve(self, command: Command) -> None:
        command("people", "import", "-", stdin=TWO)
        for asked in (("grant", "17", "clinician", "--why", "nurse"), ("proposals",)):
            refused = command("people", *asked)
            assert (refused.code, json.loads(refused.error)["error"]) == (65, "conflict")
            assert "oathward people found" in refused.error

    def test_what_there_is_not_says_what_would_bring_it(self, command: Command) -> None:
        assert "oathward people import" in command("people", "list", words=True).out
        assert "oathward people service" in command("people", "services", words=True).out
        assert "Nothing to look at" in command("people", "review", words=True).out


def test_founding_before_there_is_a_policy_says_what_that_means(command: Command) -> None:
    roles = ("administrator", "integration-engineer", "privacy-officer")
    rows = [f"{n},Person {n},p{n}@h.example,{role}" for n, role in enumerate(roles, 1)]
    told = command("people", "found", "-", stdin="\n".join(["number,name,mail,roles", *rows]), words=True)
    assert told.code == 0, told.error
    assert told.out.count("/enrol?key=") == 3
    assert "No policy is in force, so every message is held" in told.out
