"""Nobody is left alone with a code."""

import importlib
import re

from typer.main import get_command

from oathward.core.meanings import MEANINGS
from oathward.core.meanings_files import FILES, of_file
from oathward.core.reasons import Reason


def test_every_reason_says_what_happened():
    assert set(MEANINGS) == set(Reason)
    assert all(meaning.what for meaning in MEANINGS.values())


def test_each_is_one_line_of_a_terminal_table():
    everything = [*MEANINGS.items(), *FILES.items()]
    assert not [
        r for r, m in everything if max(len(m.what), len(m.remedy)) > 110 or "\n" in m.what + m.remedy
    ]


def test_commands_that_are_named_exist():
    """A remedy that names a command which is not there is worse than none."""
    named = {
        words
        for meaning in (*MEANINGS.values(), *FILES.values())
        for words in re.findall(r"`oathward ([a-z]+)(?: ([a-z]+))?", meaning.remedy)
    }
    assert named
    for name, verb in named:
        command = get_command(importlib.import_module(f"oathward.cli.{name}").APP)
        if verb:
            assert verb in command.commands, (name, verb)


def test_what_is_said_of_a_file_is_of_files():
    """Nobody sent it, and nothing of it waits: whatever a reader or a worker may say, no remedy leads elsewhere."""
    said = [of_file(r.code) for r in Reason if r.code.startswith(("deid.", "message.", "patient.several"))]
    of_wires = ("message.control", "message.duplicate", "message.version", "message.condition")
    codes = [
        r.code
        for r in Reason
        if r.code.startswith(
            ("deid.", "message.", "decision.nothing-left", "patient.several", "patient.ambig")
        )
        and (r in FILES or not r.code.startswith(of_wires))
    ]
    assert said
    assert not [
        code
        for code in codes
        if any(word in of_file(code).remedy for word in ("sender", "release", "quarantine", "policy test"))
    ]
    assert of_file("no.such").what == ""
