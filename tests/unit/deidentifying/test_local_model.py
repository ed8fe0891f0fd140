"""A site's own model of language: what it finds goes too, it sees nothing else, and a text that it did not read does not leave."""

import sys
from pathlib import Path

import pytest

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Context
from oathward.deidentifying import local_model
from oathward.deidentifying.local_model import Command, LocalModel, command_of, spans_of
from oathward.protocols.shaping import REMOVE

READS = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    text = asked["text"]
    at = text.find("blue heron")
    spans = [[at, at + 10, "name", 0.8]] if at >= 0 else []
    %s
    print(json.dumps({"spans": spans}), flush=True)
"""
TRIES = """
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "could"
if text.startswith("try"):
        import socket, subprocess
        told = [
            tried(lambda: socket.socket()),
            tried(lambda: open("/etc/hostname").read()),
            tried(lambda: open(FOLDER + "/written", "w").write("x")),
            tried(lambda: subprocess.run(["/bin/true"])),
        ]
        spans = [[0, 1 + told.count("PermissionError"), "name", 1]]
"""


def command(folder: Path, more: str = "pass") -> Command:
    program = folder / "model.py"
    program.write_text(READS % more.replace("\n", "\n    ").replace("FOLDER", repr(str(folder))))
    folders = (str(folder), sys.prefix, sys.base_prefix)
    return Command((sys.executable, "-S", str(program)), folders, 4 << 30)


@pytest.fixture
def started():
    running = []

    def start(folder: Path, more: str = "pass") -> LocalModel:
        running.append(LocalModel(command(folder, more)))
        return running[-1]

    yield start
    for one in running:
        one.end()


def found(text: str, ask) -> list[tuple[str, str, str]]:
    context = Context(NOTHING, lambda _cls, _part: REMOVE, "en", ask=ask)
    return [(text[one.start : one.end], one.cls, one.how) for one in find(text, context)]


def test_what_it_finds_is_found_besides_what_recognisers_find(tmp_path, started):
    text = "Known on the ward as the blue heron; telephone (555) 010-4477."
    assert [row[0] for row in found(text, None)] == ["(555) 010-4477"]
    assert found(text, started(tmp_path).find) == [
        ("blue heron", "patient.name", "model"),
        ("(555) 010-4477", "patient.contact", "phone"),
    ]


def test_it_takes_nothing_back(tmp_path, started):
    model = started(tmp_path, "spans = []")
    assert found("Telephone (555) 010-4477.", model.find)


def test_places_are_code_points_of_the_text(tmp_path, started):
    text = "\U0001f9a9 the\nblue heron, «quoted» \\ \u2028 it\u200b"
    (span,) = started(tmp_path).find(text, "en")
    assert text[span.start : span.end] == "blue heron"


def test_it_can_do_nothing_but_read_texts(tmp_path, started):
    (span,) = started(tmp_path, TRIES).find("try what you can", "")
    assert span.end == 5, "network, a foreign file, writing, another program: one of them was possible"
    assert not (tmp_path / "written").exists()


def test_it_could_if_it_were_not_confined(tmp_path, started, monkeypatch):
    monkeypatch.setattr(local_model, "confine_program", lambda *_: None)
    (span,) = started(tmp_path, TRIES).find("try what you can", "")
    assert span.end == 1
    assert (tmp_path / "written").exists()


@pytest.mark.parametrize(
    "more",
    [
        "sys.exit(1) if text else None",
        "print('loading ...') if text else None",
        "print('[]' if text else json.dumps({'spans': []}), flush=True); continue",
        "spans = [[0, 10**6, 'name', 1]] if text else []",
        "spans = [[3, 3, 'name', 1]] if text else []",
        "spans = [[-1, 3, 'name', 1]] if text else []",
        "spans = [[0, 3, 'cheese', 1]] if text else []",
        "spans = [[0, True, 'name', 1]] if text else []",
        "spans = [[0, 3, 'name', float('nan')]] if text else []",
        "import time; time.sleep(30) if text else None",
        "print('x' * 10_000_000, flush=True) if text else None",
        "print(json.dumps({'spans': []})) if text else None",
    ],
)
def test_a_text_it_did_not_answer_is_held_and_so_is_the_next(tmp_path, started, monkeypatch, more):
    monkeypatch.setattr(local_model, "ANSWER_S_MAX", 1.0)
    model = started(tmp_path, more)
    for text in ("heron", "and another heron"):
        with pytest.raises(DeidentificationError) as error:
            model.find(text, "en")
        assert error.value.reason is Reason.DEID_TEXT_MODEL
        assert "heron" not in str(error.value)
    assert model.lost


def test_a_text_that_cannot_be_written_is_held(tmp_path, started):
    with pytest.raises(DeidentificationError):
        started(tmp_path).find("half of a pair: \ud83e", "en")


@pytest.mark.parametrize(
    "words", [("/no/such/program",), ("python3", "-c", "pass"), (sys.executable, "-c", "pass")]
)
def test_what_does_not_start_or_answer_is_told_at_once(words):
    with pytest.raises(DeidentificationError) as error:
        LocalModel(Command(words, (sys.prefix, sys.base_prefix), 4 << 30))
    assert error.value.reason is Reason.DEID_TEXT_MODEL


def test_settings_are_read_as_a_shell_reads_words():
    assert command_of("", "", 1) is None
    made = command_of("/opt/m/bin/python '/opt/m/a b.py'", "/opt/m:/srv/x", 7)
    assert made == (("/opt/m/bin/python", "/opt/m/a b.py"), ("/opt/m", "/srv/x"), 7)
    with pytest.raises(DeidentificationError):
        command_of("/opt/m 'half", "", 1)


@pytest.mark.parametrize("answer", [None, [], {}, {"spans": {}}, {"spans": [[0, 1, "name"]]}, {"spans": [5]}])
def test_what_is_no_answer_is_none(answer):
    with pytest.raises(ValueError, match="spans"):
        spans_of(answer, 10)
