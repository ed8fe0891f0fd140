"""Wrong use is told in one line, as JSON where that was asked for; the commands ``init`` names exist."""

import errno
import importlib
import json
import os
import shlex
from pathlib import Path

import pytest

from oathward.cli import device, outbox, policy
from oathward.cli.device import import_
from oathward.cli.main import COMMANDS, run
from oathward.inventory.sheet import COLUMNS


def test_a_slip_of_the_pen_names_the_nearest_command(capsys):
    assert run(["devcie", "list"]) == 2
    said = capsys.readouterr()
    assert said.err == "error: no command `devcie`; did you mean `device`? oathward --help lists them\n"
    assert said.out == ""
    assert run(["xyzzy"]) == 2
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["devcie"], ["device", "ad"], ["send", "--to", "x:1"], ["serve", "--prot-base", "1"]]
)
def test_wrong_use_is_json_where_json_was_asked_for(capsys, wrong):
    assert run([*wrong, "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.err)["error"] == "usage"
    assert json.loads(said.err)["why"]
    assert said.out == ""


def test_the_help_of_an_import_lists_the_columns_it_takes():
    written = (import_.__doc__ or "").partition("Columns: ")[2].partition(".")[0]
    assert written.replace(",", " ").split() == list(COLUMNS)


@pytest.mark.parametrize("name", [name for group in COMMANDS.values() for name in group])
def test_help_is_true_to_the_command_and_a_switch_takes_no_value(name, capsys):
    app = importlib.import_module(f"oathward.cli.{name.replace('-', '_')}").APP
    assert {n: text for group in COMMANDS.values() for n, text in group.items()}[name] == app.info.help
    verbs = [one.name for one in app.registered_commands] if len(app.registered_commands) > 1 else [""]
    for verb in verbs:
        assert run([name, *filter(None, [verb]), "--help"]) == 0
        out = capsys.readouterr().out
        assert "--help" in out
        assert "<bool>" not in out, verb


def test_no_help_loses_a_word_in_brackets():
    """What stands in square brackets is markup to who draws the help."""
    commands = [
        command.callback for part in (policy, device, outbox) for command in part.APP.registered_commands
    ]
    assert commands
    for command in commands:
        assert "[" not in (command.__doc__ or "").partition("Raises:")[0], command


def test_a_data_folder_that_cannot_be_made_is_told_in_words(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    for bad in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nothing-here"):
        assert run(["init", "--data", str(bad)]) == 65
        err = capsys.readouterr().err
        assert err.startswith(f"error[input.invalid] {bad}: cannot be made")
        assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("command", [["doctor"], ["ledger", "verify", "{}"], ["ledger", "verify"]])
def test_a_folder_of_somebody_else_is_told_in_one_line(tmp_path, capsys, monkeypatch, command):
    folder = tmp_path / "theirs"
    folder.mkdir()

    def refuse(path, **_):
        if path.is_relative_to(folder) and path != folder:
            raise PermissionError(13, "Permission denied", str(path))
        return True

    monkeypatch.setattr(Path, "exists", refuse)  # whoever tests may be root, who is refused nothing
    more = [] if "{}" in command else ["--data", str(folder)]
    assert run([*(part.format(folder) for part in command), *more, "--json"]) == 65
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err)["why"].startswith("permission denied")


def test_the_commands_that_init_names_work_in_their_order(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--data", "site"]) == 0
    lines = capsys.readouterr().out.splitlines()
    commands = [line.strip() for line in lines if line.startswith("  oathward ")]
    assert run(["keys", "recipient", "--out", "key", "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["public_key"]
    *before, serve, console, people = commands
    assert serve.startswith("oathward serve --data ")
    assert console.startswith("oathward console --data ")
    assert people.startswith("oathward people found PEOPLE.csv --data ")
    roles = ("administrator", "integration-engineer", "privacy-officer")
    rows = [f"{n},Person {n},p{n}@hospital.example,{role}" for n, role in enumerate(roles, 1)]
    Path("PEOPLE.csv").write_text("\n".join(["number,name,mail,roles", *rows]) + "\n")
    for command in (*before, people):
        filled = command.replace("=KEY", f"={key}").replace("HOST", "host.here").replace("PORT", "2576")
        assert run(shlex.split(filled)[1:]) == 0, capsys.readouterr().err
        assert "placeholder" not in capsys.readouterr().out, "it names every recipient of the starter"
    assert (tmp_path / "POLICY" / "bundle.toml").exists()


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (errno.ENOSPC, 75, "storage.full"),
        (errno.EROFS, 75, "storage.failed"),
        (errno.EIO, 75, "storage.failed"),
        (errno.ENOENT, 66, "not-found"),
        (errno.ENAMETOOLONG, 65, "input.invalid"),
    ],
)
def test_what_a_disk_refuses_is_told_in_one_line(tmp_path, capsys, monkeypatch, number, code, reason):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), "there")

    monkeypatch.setattr(Path, "exists", refuse)
    assert run(["doctor", "--data", str(tmp_path), "--json"]) == code
    said = json.loads(capsys.readouterr().err)
    assert (said["error"], said["where"], said["why"]) == (reason, "there", os.strerror(number).lower())
