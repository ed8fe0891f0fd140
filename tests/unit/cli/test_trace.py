"""``oathward trace``: whoever may not is told nothing, before anything is looked up; ids are told apart."""

import json
import os
from types import SimpleNamespace

import pytest
from tests.site import Site, bundle

from oathward.cli.main import run
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.tracing.ids import ids_in, ids_of_file
from oathward.vault.keeper.client import Client

NAME, OUTGOING = "KBSWY3DPEHPK3PXP", "3F0C9A1B2D4E5F607182"
STRANGER = "01a20122-0600-7704-bc29-000000000000"


@pytest.fixture
def command(data, capsys):
    Site(data).activate(bundle({"ehr": "mllp://127.0.0.1:9"}))

    def go(*arguments):
        code = run(["trace", *arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, value=json.loads(out) if out else None, err=err)

    return go


ASKED = [
    ("message", STRANGER),
    ("message", "--control-id", "1", "--device", "mon-1", "--sender", "A|B"),
    ("subject", STRANGER),
    ("back", OUTGOING),
    ("back", NAME, "--in", "/"),
    ("back", "--file", "/etc/hostname"),
]


@pytest.mark.parametrize("arguments", ASKED)
def test_nobody_who_is_not_signed_in_is_told_anything(command, data, monkeypatch, arguments):
    monkeypatch.setattr(Client, "state", lambda _self: {"founded": True})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(data))
    done = command(*arguments)
    assert json.loads(done.err)["error"] == "access.sign-in"
    assert done.value is None
    assert Site(data).records("trace.read") == []


def test_what_is_not_known_is_on_record_and_told_by_the_exit_code(command, data):
    done = command("back", OUTGOING, NAME.lower())
    assert (done.code, done.value["went"], done.value["files"]) == (1, [], [])
    [record] = Site(data).records("trace.read")
    assert record["body"]["asked"] == sorted([OUTGOING, NAME])
    assert record["body"]["found"] == 0


def test_what_is_no_id_is_named_by_its_place_and_fails_no_other(command, data):
    done = command("back", OUTGOING, "Quixley", NAME)
    assert done.code == 1
    assert "ID 2 of 3 was not looked for" in done.err
    assert "Quixley" not in done.err
    [record] = Site(data).records("trace.read")
    assert record["body"]["asked"] == sorted([OUTGOING, NAME])
    assert command("back", "Quixley", "Zoraida").code > 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("message",),
        ("message", STRANGER, "--control-id", "1"),
        ("message", "--control-id", "1"),
        ("message", "--device", "mon-1"),
        ("message", "--control-id", "1", "--device", "no-such"),
        ("subject",),
        ("subject", STRANGER, "--identifier-file", "-"),
        ("back",),
        ("back", NAME, "--file", "x"),
        ("back", "--file", "/no/such/file"),
        ("back", NAME, "--in", "/no/such/folder"),
        ("back", "Quixley"),
    ],
)
def test_what_cannot_be_asked_is_an_error(command, arguments):
    assert command(*arguments).code > 1 or not arguments


@pytest.mark.parametrize(
    ("text", "outgoing", "names"),
    [
        (OUTGOING, [OUTGOING], []),
        (OUTGOING.lower() + "-obx-1", [OUTGOING], []),
        (NAME, [], [NAME]),
        (NAME.lower() + "-0", [], [NAME]),
        (NAME.lower() + "12-0", [], [NAME]),
        (f"KB/{NAME}.json", [], [NAME]),
        (f"{NAME.lower()}-provenance", [], [NAME]),
    ],
)
def test_ids_are_told_apart(text, outgoing, names):
    found = ids_in([text])
    assert (found.outgoing, found.names) == (outgoing, names)


def test_ids_of_a_file_are_found_as_they_stand(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(f'{{"id":"{NAME.lower()}1-0","control":"{OUTGOING}","word":"responsibilities"}}')
    found = ids_of_file(path)
    assert found.outgoing == [OUTGOING]
    assert NAME in found.names
    (tmp_path / f"{NAME}.dcm").write_bytes(bytes(300))
    assert ids_of_file(tmp_path / f"{NAME}.dcm").names == [NAME]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError) as no:
        ids_of_file(tmp_path / "pipe")
    assert (no.value.where, no.value.reason) == ("--file", Reason.INPUT_INVALID)


def test_too_large_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("oathward.tracing.ids.FILE_BYTES_MAX", 10)
    (tmp_path / "x").write_bytes(bytes(11))
    with pytest.raises(InputError) as no:
        ids_of_file(tmp_path / "x")
    assert no.value.reason is Reason.LIMIT_EXCEEDED
