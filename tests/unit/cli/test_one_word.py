"""One word for one thing on the command line: a person's words are ``--why``; a ``--reason`` is a code."""

import importlib

from typer.main import get_command

from oathward.cli.main import COMMANDS


def options(command, path):
    """Every option of a command and of those below it: where it stands, and the option."""
    for one in command.params:
        if one.param_type_name == "option":
            yield from ((*path, opt, one) for opt in one.opts)
    for name, below in getattr(command, "commands", {}).items():
        yield from options(below, (*path, name))


def every():
    for name in (name for group in COMMANDS.values() for name in group):
        module = importlib.import_module(f"oathward.cli.{name.replace('-', '_')}")
        yield from options(get_command(module.APP), (name,))


def test_a_persons_words_are_why_and_a_reason_is_a_code():
    found = list(every())
    codes = [path for *path, one in found if path[-1] == "--reason" and "code" not in one.help.lower()]
    assert codes == []
    assert {tuple(path) for *path, _ in found if path[-1] == "--why"} >= {
        ("consent", "dismiss", "--why"),
        ("device", "revoke", "--why"),
        ("outbox", "discard", "--why"),
        ("patient", "unmerge", "--why"),
        ("policy", "propose", "--why"),
        ("quarantine", "release", "--why"),
    }
