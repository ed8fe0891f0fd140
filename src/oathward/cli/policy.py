"""``oathward policy``: write, check, test and activate the bundle that says what may leave."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli import policy_change
from oathward.cli.bundle_folder import read_folder
from oathward.cli.output import DataOption, JsonOption, emit, settings_of
from oathward.cli.policy_dry_run import dry_run
from oathward.cli.policy_review import review
from oathward.cli.remote import ServerOption, server_of
from oathward.core.clock import from_micros, iso, micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings, load

if TYPE_CHECKING:
    from oathward.activation import Active
    from oathward.policy.bundle import Bundle
    from oathward.policy.trial import Outcome

APP = typer.Typer(
    help="The policy bundle: check, diff, dry-run, propose, approve, activate, show.",
    add_completion=False,
    no_args_is_help=True,
)

APP.command("dry-run")(dry_run)
APP.command("review")(review)
for _command in (
    policy_change.diff,
    policy_change.propose,
    policy_change.attach,
    policy_change.approve,
    policy_change.withdraw,
    policy_change.rollback,
    policy_change.emergency,
    policy_change.history,
):
    APP.command()(_command)

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the bundle.")]


@APP.command()
def init(
    folder: FolderArgument,
    address: Annotated[
        list[str] | None,
        typer.Option(help="Address of a recipient, as ehr=mllps://host:2576; may be repeated."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="X25519 key of a recipient in base64, as research-registry=…; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the starter bundle into a new or empty folder."""
    from oathward.policy import starter

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(str(folder), "is not an empty folder; choose another", reason=Reason.CONFLICT)
    addresses, keys = _pairs(address, "--address"), _pairs(key, "--key")
    files = starter.files()
    _known_recipients(files, addresses, keys)
    hosts = {
        name: (form["host"] or "").strip("[]")
        for name, text in addresses.items()
        if text.startswith(("mllps:", "https:")) and (form := _form(text))
    }
    files = starter.files(addresses, {name: _key(text) for name, text in keys.items()}, hosts)
    left = _placeholders(files, addresses)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def human() -> None:
        print(f"Wrote {len(files)} files to {folder}. Start with {folder / 'README.md'}.")
        for path in left:
            print(f"Fill in {folder / path}: what stands there is a placeholder.")
        print(f"{'Then' if left else 'Next'}: oathward policy check {folder}")

    emit({"folder": folder, "files": sorted(files), "placeholders": left}, as_json=as_json, human=human)


def _known_recipients(
    files: Mapping[str, bytes], addresses: Mapping[str, str], keys: Mapping[str, str]
) -> None:
    """See that what was given fits the starter.

    Raises:
        InputError: no such recipient, one that takes no key, or an address of no known form.
    """
    there = {
        path[len(_RECIPIENTS) : -len(".toml")]: text
        for path, text in files.items()
        if path.startswith(_RECIPIENTS)
    }
    sealed = sorted(name for name, text in there.items() if b"\npublic_key = " in text)
    for option, given, known in (("--address", addresses, sorted(there)), ("--key", keys, sealed)):
        for name in given:
            if name not in known:
                raise InputError(option, f"takes {', '.join(known)}; the starter has no `{name}` there")
    for name, address in addresses.items():
        form = _form(address)
        if form is None or int(form.get("port") or 1) not in _PORTS:
            forms = "mllps://HOST:PORT, https://HOST:PORT/BASE, mllp://HOST:PORT or file:FOLDER"
            raise InputError("--address", f"{name}: write {forms}")


_RECIPIENTS = "recipients/"
_HOST = r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])"
_FORMS = (
    re.compile(rf"mllps?://{_HOST}:(?P<port>\d{{1,5}})", re.ASCII),
    re.compile(rf"https://{_HOST}(?::(?P<port>\d{{1,5}}))?(?:/[\w.~-]+)*/?", re.ASCII),
    re.compile(r"file:[^\s\"\\]+", re.ASCII),
)
_PORTS = range(1, 65_536)


def _form(address: str) -> dict[str, str | None] | None:
    """Take an address apart; ``None`` where it has no known form."""
    found = next((match for form in _FORMS if (match := form.fullmatch(address))), None)
    return found.groupdict() if found else None


def _placeholders(files: Mapping[str, bytes], addresses: Mapping[str, str]) -> list[str]:
    """List the files in which an address or a key of the starter still stands."""
    given = {f"{_RECIPIENTS}{name}.toml" for name in addresses}
    return sorted(
        path
        for path, content in files.items()
        if path.startswith(_RECIPIENTS)
        and (
            (path not in given and (b".example:" in content or b".example/" in content))
            or b'"PASTE-THE-KEY' in content
        )
    )


@APP.command()
def check(folder: FolderArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check a bundle as a whole: every mistake with file, line and what to write instead.

    Says as well which files of `tls` tables are not yet in the data folder, where there is one.
    """
    bundle = checked(folder)
    settings = load(data)
    missing = _missing_files(bundle, settings) if settings.data.is_dir() else []

    def human() -> None:
        for line in missing:
            print(f"warning: {line}", file=sys.stderr)
        print(f"Bundle {bundle.name} is fine: {_counts(bundle)}. Digest {bundle.digest.hex()[:16]}.")

    emit({**_said(bundle), "warnings": missing}, as_json=as_json, human=human)


def _missing_files(bundle: Bundle, settings: Settings) -> list[str]:
    """Name the files of [tls] that the courier will look for and not find."""
    folder = settings.data / "recipients"
    if folder.is_dir() and not os.access(folder, os.X_OK):
        return []  # not ours to look into
    return [
        f"recipients/{name}.toml [tls] {what}: {file} is not in {folder}; put it there before it can deliver"
        for name, recipient in bundle.recipients.items()
        if recipient.tls is not None
        for what in ("ca", "certificate", "key")
        if (file := getattr(recipient.tls, what)) and not (folder / file).exists()
    ]


@APP.command("test")
def run_tests(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Run the bundle's own tests (policies/*.test.toml). Exit code 1 when one fails."""
    from oathward.policy.trial import run

    outcomes = run(checked(folder))
    failed = sum(not outcome.passed for outcome in outcomes)

    def human() -> None:
        for one in outcomes:
            print(
                f"{'ok  ' if one.passed else 'FAIL'}  {one.case.name}{'' if one.passed else f'  ({one.case.where}): {one.why}'}"
            )
        print(f"{len(outcomes) - failed} of {len(outcomes)} tests passed.")

    emit({"passed": failed == 0, "tests": [_outcome(one) for one in outcomes]}, as_json=as_json, human=human)
    if failed:
        raise typer.Exit(1)


@APP.command()
def activate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|PROPOSAL", help="An approved proposal's id; before the site has people, a folder."
        ),
    ],
    person: Annotated[str | None, typer.Option(help="Who activates; your login name by default.")] = None,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a policy in force within a second; the keeper signs it.

    On a site with people: a proposal that another person approved. Before it has people: a bundle's folder, checked and tested.
    """
    from oathward import activation
    from oathward.app import build
    from oathward.core.db import read
    from oathward.vault.keeper.proof import admin_proof

    if _PROPOSAL.fullmatch(str(folder)):
        policy_change.activate_proposal(str(folder), server_of(server), data, as_json=as_json)
        return
    bundle, settings = checked(folder), settings_of(data)
    missing = _missing_files(bundle, settings)
    site = build(settings, "admin")
    try:
        if site.keeper.state().get("founded"):
            policy_change.refuse_folder(folder)
        with read(site.engine) as db:
            before = activation.load_active(db, site.site, site.authority, site.seen)
        if before is not None and before.bundle.digest == bundle.digest:
            active = before
        else:
            approvals = [admin_proof(person or getpass.getuser())]
            now_us = micros(site.clock.now())
            active = activation.activate(site.engine, site.site, site.keeper, bundle, approvals, now_us)
    finally:
        site.keeper.close()
        site.engine.dispose()
    changes = _changes(before.bundle if before else None, bundle)
    unchanged = active is before

    def human() -> None:
        for line in missing:
            print(f"warning: {line}", file=sys.stderr)
        state = "unchanged, the same bundle was in force" if unchanged else _counts(bundle)
        print(f"Active: {active.label}, {state}.")
        for line in changes:
            print(f"  {line}")

    emit({"active": active.label, "before": before.label if before else None, "changes": changes,
          "unchanged": unchanged, "warnings": missing, **_said(bundle)}, as_json=as_json, human=human)  # fmt: skip


_PROPOSAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id; a folder has no such name."""


@APP.command()
def show(
    proposal: Annotated[str, typer.Argument(metavar="[PROPOSAL]", help="Show this proposal instead.")] = "",
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the bundle in force: version, since when, and what each link lets through; or a proposal."""
    if proposal:
        policy_change.show_proposal(proposal, server_of(server), data, as_json=as_json)
        return
    active = active_of(settings_of(data))
    said = {"active": active.label, "since": iso(from_micros(active.at_us)), **_said(active.bundle)}
    emit(said, as_json=as_json, human=lambda: _table(active))


def active_of(settings: Settings) -> Active:
    """Load the bundle in force.

    Raises:
        InputError: none is.
    """
    from oathward import activation
    from oathward.core.db import connect, read
    from oathward.vault.authority import Seen, trust_anchor

    engine = connect(settings.database_url)
    with read(engine) as db:
        active = activation.load_active(db, settings.site.name, trust_anchor(settings), Seen())
    engine.dispose()
    if active is None:
        raise InputError(
            "policy", "none is active; run oathward policy activate DIR", reason=Reason.BUNDLE_MISSING
        )
    return active


def checked(folder: Path) -> Bundle:
    """Read the bundle in a folder and check all of it, as ``policy check`` does."""
    from oathward import activation

    return activation.check(read_folder(folder))


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in given or ()]
    if any(not (name and value) for name, _, value in pairs):
        raise InputError(option, f"write RECIPIENT=VALUE, as in {option} ehr=…")
    return {name: value for name, _, value in pairs}


def _key(text: str) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InputError("--key", "not base64") from error


def _counts(bundle: Bundle) -> str:
    return f"{len(bundle.links)} links, {len(bundle.policies)} policies, {len(bundle.cases)} tests"


def _said(bundle: Bundle) -> dict[str, Any]:
    return {
        "bundle": bundle.name,
        "digest": bundle.digest,
        "links": [_link(bundle, name) for name in bundle.links],
        "policies": len(bundle.policies),
        "tests": len(bundle.cases),
    }


def _link(bundle: Bundle, name: str) -> dict[str, Any]:
    link = bundle.links[name]
    recipient = bundle.recipients[link.recipient]
    return {
        "id": link.id,
        "recipient": link.recipient,
        "purpose": link.purpose.value,
        "consent": "not needed" if link.without_consent else "needed",
        "profile": link.profile,
        "protection": "sealed at rest" if link.recipient == "keep" else recipient.protection,
        "zone": recipient.zone,
        "classes": sorted(link.classes),
    }


def _outcome(one: Outcome) -> dict[str, Any]:
    return {"name": one.case.name, "where": one.case.where, "passed": one.passed, "why": one.why}


def _changes(before: Bundle | None, after: Bundle) -> list[str]:
    """Say in short what a new bundle changes: links, recipients and policies added, removed, changed."""
    lines: list[str] = []
    kinds: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("link", before.links if before else {}, after.links),
        ("recipient", before.recipients if before else {"keep": after.recipients["keep"]}, after.recipients),
        ("policy", _trees(before), _trees(after)),
    ]
    for kind, old, new in kinds:
        lines += [f"{kind} {name} added" for name in new if name not in old]
        lines += [f"{kind} {name} removed" for name in old if name not in new]
        lines += [f"{kind} {name} changed" for name in new if name in old and old[name] != new[name]]
    return lines


def _trees(bundle: Bundle | None) -> dict[str, Any]:
    return {policy.id: (policy.tree, policy.notify) for policy in bundle.policies} if bundle else {}


def _table(active: Active) -> None:
    print(f"{active.label}, in force since {from_micros(active.at_us):%Y-%m-%d %H:%M:%S} UTC")
    names = ("id", "recipient", "purpose", "consent", "profile", "protection")
    rows = [{name: name for name in names} | {"id": "link"}]
    rows += [_link(active.bundle, name) for name in active.bundle.links]
    widths = {name: max(len(row[name]) for row in rows) for name in names}
    for row in rows:
        print("  ".join(row[name].ljust(widths[name]) for name in names).rstrip())
