"""Nobody is left alone with a code."""

import importlib
import re

from typer.main import get_command

from oathward.core.meanings import MEANINGS
from oathward.core.reasons import Reason


def test_every_reason_says_what_happened():
    assert set(MEANINGS) == set(Reason)
    assert all(meaning.what for meaning in MEANINGS.values())


def test_each_is_one_line_of_a_terminal_table():
    assert not [
        r for r, m in MEANINGS.items() if max(len(m.what), len(m.remedy)) > 110 or "\n" in m.what + m.remedy
    ]


def test_commands_that_are_named_exist():
    """A remedy that names a command which is not there is worse than none."""
    named = {
        words
        for meaning in MEANINGS.values()
        for words in re.findall(r"`oathward ([a-z]+)(?: ([a-z]+))?", meaning.remedy)
    }
    assert named
    for name, verb in named:
        command = get_command(importlib.import_module(f"oathward.cli.{name}").APP)
        if verb:
            assert verb in command.commands, (name, verb)
