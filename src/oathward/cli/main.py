"""The ``oathward`` command: finds the subcommand, runs it, turns errors into words and exit codes.

A subcommand is one file ``cli/NAME.py`` with one constant ``APP`` (a Typer app); only the one asked
for is imported, so ``--help`` stays quick. Its line in ``COMMANDS`` is what the help shows.

Exit codes: 0 done; 1 the thing checked did not hold; 2 wrong usage; the rest from ``core.reasons``.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from typing import Any

from oathward import __version__
from oathward.core.errors import InputError, OathwardError, StorageError
from oathward.core.reasons import Reason

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FAILED = (errno.EROFS, errno.EIO, errno.EFBIG, errno.ESTALE)

COMMANDS: dict[str, dict[str, str]] = {
    "Run": {
        "demo": "Start Oathward with a simulated hospital and watch it work.",
        "init": "Create a data folder with its keys and trust anchor.",
        "serve": "Run gateway, courier, keeper and followers.",
        "console": "Sign in at the console: a one-time link.",
        "sign-in": "Sign in at the command line, with password and code.",
        "account": "Your account: what others did to it, what waits for you.",
        "sign-out": "End the session of this command line.",
        "doctor": "Check settings, keys, disk, clock and what the set-up does not stop.",
    },
    "See": {
        "device": "Devices: add, import, adopt, revoke, certificates.",
        "inventory": "Every endpoint seen or declared: list, show, say what it is, merge, split, undo, probe once, import, export.",
        "observe": "What sensors saw: captures, logs and flow records, read into the living picture.",
        "flows": "Flows: who spoke with whom, how much, by which service; single ones by day.",
        "network": "The plan of the network: networks with their segment, zone and unit; sources read.",
        "care": "Care: shifts and assignments, and the units messages name.",
        "patient": "Patients: find one, merges and undoing them, canaries.",
        "map": "Declared beside observed: zones and conduits, what differs, a picture.",
        "rules": "Rules of firewalls and switches: import them, compare them with the flows that were seen.",
        "trace": "Where a message or a patient's data went, and what something that was released came from.",
        "people": "People: list, import, show, leave; roles and services by two people; what to review.",
    },
    "Decide": {
        "policy": "The policy bundle: check, diff, dry-run, propose, approve, activate, show.",
        "portal": "The patient portal: invite a patient or who stands in for them, list, end.",
        "access": "Openings of patients' data: why each was, what nothing explains, reviewing it.",
        "uploads": "What devices send past Oathward: import, list, end.",
        "profile": "Profiles of de-identification in words: list, show one, what differs between two, before and after.",
        "governance": "The register: owners, agreements, assessments, the record of processing.",
        "break-glass": "Glasses that were broken in an emergency: list, review.",
        "consent": "What patients allow and deny: record, import, list, explain, withdrawals, notices.",
        "selftest": "Try what should hold on your own policy: wires.",
    },
    "Protect": {
        "deid": "De-identify a folder of HL7 v2, FHIR, DICOM and text; a report says what was done.",
        "reidentify": "Whose a pseudonym of a project is: ask, agree as the second person, be shown.",
        "jobs": "Folders that were de-identified: list, or show one with what was held and why.",
        "quarantine": "Messages held back: list, show, release, discard.",
        "outbox": "Deliveries: what waits, what failed; try one again, or give it up.",
        "emergency": "The emergency copy: key, make, verify, read, reconcile, compare.",
        "keys": "Keys: rotate, erase a subject, open a sealed envelope.",
        "send": "Send HL7 v2 files over MLLP.",
    },
    "Watch": {
        "findings": "What somebody should look at, until when: list, show, assign, suppress, extend, lift, note.",
    },
    "Prove": {
        "ledger": "The ledger: verify, prove, export, search.",
        "witness": "The outside witness that cosigns checkpoints.",
    },
}


def main() -> None:
    """Run the command line; ends the process with the documented exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    name = arguments[0] if arguments else "--help"
    if name in {"--help", "-h", "help"}:
        print(_help())
        return 0
    if name == "--version":
        print(f"oathward {__version__}")
        return 0
    known = [command for group in COMMANDS.values() for command in group]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        return _misused("oathward", f"no command `{name}`; {hint}oathward --help lists them", arguments)
    return _run(name, arguments[1:])


def _run(name: str, arguments: list[str]) -> int:
    import typer
    import typer.main
    from typer._click.exceptions import ClickException

    os.umask(0o027)  # whatever the caller's: nothing of a site is for everybody to read
    if "--help" not in arguments:  # a help page logs nothing, and stays quick
        from oathward.core.log import set_up

        set_up("cli")
    app = importlib.import_module(f"oathward.cli.{name.replace('-', '_')}").APP
    command = typer.main.get_command(app)
    _plain_switches(command)
    try:
        result = command.main(args=arguments, prog_name=f"oathward {name}", standalone_mode=False)
    except OathwardError as error:
        return _explain(error, as_json="--json" in arguments)
    except (typer.Abort, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return 130
    except ClickException as error:
        if "--json" not in arguments:
            error.show()
            return error.exit_code
        return _misused(f"oathward {name}", error.format_message(), arguments)
    except BrokenPipeError:
        result = 0
    except OSError as error:
        return _explain(_told(error), as_json="--json" in arguments)
    return result if isinstance(result, int) else 0


def _told(error: OSError) -> OathwardError:
    """Say in words what a system call refused."""
    where, why = str(error.filename or ""), (error.strerror or type(error).__name__).lower()
    if isinstance(error, PermissionError):
        return InputError(where, f"{why}; run it as a user who may, root for one")
    if isinstance(error, FileNotFoundError):
        return InputError(where, why, reason=Reason.NOT_FOUND)
    if error.errno in _FULL:
        return StorageError(where, why, reason=Reason.STORAGE_FULL)
    if error.errno in _FAILED:
        return StorageError(where, why)
    return InputError(where, why) if where else OathwardError("system", why)


def _plain_switches(command: Any) -> None:
    """Let help show a switch without the type of a value, which it does not take."""
    import typer

    for one in (command, *getattr(command, "commands", {}).values()):
        for option in (*one.params, one.get_help_option(typer.Context(one))):
            if getattr(option, "is_flag", False) and option.metavar is None:
                option.metavar = ""


def _misused(where: str, why: str, arguments: list[str]) -> int:
    """Say a wrong use: one line, or JSON on stderr."""
    if "--json" in arguments:
        import orjson

        said = orjson.dumps({"error": "usage", "where": where, "why": _text(why)}).decode()
    else:
        said = f"error: {why}"
    print(said, file=sys.stderr)
    return 2


def _explain(error: OathwardError, *, as_json: bool) -> int:
    """Say an error: one line each, or JSON on stderr."""
    errors = [*getattr(error, "errors", ())] or [error]
    for one in errors:
        if as_json:
            import orjson

            print(
                orjson.dumps(
                    {"error": one.reason.code, "where": _text(one.where), "why": _text(one.why)}
                ).decode(),
                file=sys.stderr,
            )
        else:
            place = f" {one.where}" if one.where else ""
            print(f"error[{one.reason.code}]{place}: {one.why or 'refused'}", file=sys.stderr)
    return max(1, error.reason.answer.exit_code)  # a refused command never looks like success


def _text(said: str) -> str:
    """Write what may hold a path as UTF-8: not every path is."""
    return said.encode("utf-8", "backslashreplace").decode()


def _help() -> str:
    width = max(len(name) for group in COMMANDS.values() for name in group)
    lines = ["Oathward: knows every device, lets through only what may pass, proves what happened.", ""]
    lines += ["Usage: oathward COMMAND [OPTIONS]    (oathward COMMAND --help for its options)"]
    for title, group in COMMANDS.items():
        lines += ["", f"{title}:"] + [f"  {name:<{width}}  {text}" for name, text in group.items()]
    return "\n".join(
        [
            *lines,
            "",
            "Data folder: --data, else OATHWARD_DATA, else ./oathward-data. Every command takes --json.",
        ]
    )
