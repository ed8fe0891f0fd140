"""``oathward rules``: rules of firewalls and switches in force, kept by the device's name, beside the flows that were seen."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, counted, emit, minute, say
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso

if TYPE_CHECKING:
    from oathward.network.rules.comparing import Comparison
    from oathward.network.rules.model import Ruleset
    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="Rules of firewalls and switches: import them, compare them with the flows that were seen.",
    add_completion=False,
    no_args_is_help=True,
)
SHOWN_MAX = 40
TIMES_MAX = 1_000_000
_DAY_US = 86_400_000_000

Name = Annotated[str, typer.Argument(metavar="NAME", help="How the site calls the device.")]
File = Annotated[str, typer.Argument(help="`nft list ruleset`, with or without -j, or CSV; - is stdin.")]
What = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", help="A device whose rules were imported, or a file; - is stdin."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=NAME", help="For CSV: which column is what; may be repeated."),
]
Interfaces = Annotated[
    list[str] | None,
    typer.Option(
        "--interface",
        metavar="NETWORK=NAME",
        help="Which network stands behind which interface; may be repeated.",
    ),
]
Realm = Annotated[
    str, typer.Option(help="Only flows of this realm: where the device's addresses mean something.")
]


class _Rules(NamedTuple):
    """Rules that were asked for, with what was said of them when they were imported."""

    ruleset: Ruleset
    realm: str
    interfaces: dict[str, str]


@APP.command("import")
def import_(  # noqa: PLR0917  one parameter an option
    name: Name,
    file: File,
    column: Columns = None,
    interface: Interfaces = None,
    realm: Realm = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the rules of a device in place of those before, and tell what is wrong with them as findings."""
    from oathward.core.db import write
    from oathward.core.errors import InputError
    from oathward.governance.model import ID
    from oathward.mapping import telling
    from oathward.network import actions, apart
    from oathward.network.model import RulesetRow

    if not ID(name):
        raise InputError("NAME", "letters, digits, dot, dash and underscore, at most 64")
    content, columns = read_bytes(file, apart.RULES_BYTES_MAX), _pairs(column, "--column")
    ruleset = apart.read_rules(content, columns)
    behind = _networks(_pairs(interface, "--interface"))
    with opened(data) as site:
        who = who_may(site, person, "network.change")
        digest = hashlib.sha256(content).hexdigest()
        at_us, count = now_us(site), len(ruleset.rules)
        row = RulesetRow(name, at_us, who, digest, count, realm, columns, behind, content)
        with write(site.engine) as db:
            changed = actions.import_rules(db, site.site, row)
        told = telling.tell_all(site)
    value = {"name": name, "rules": count, "sha256": digest, "changed": changed, "findings_told": told}

    def human() -> None:
        say(f"{name}: {counted(count, 'rule')}{'' if changed else ', the same as before'}; SHA-256 {digest}.")
        print(f"Findings: {told.opened:,} new, {told.cleared:,} gone: oathward findings list")

    emit(value, as_json=as_json, human=human)


@APP.command("list")
def list_(person: PersonOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the devices whose rules were imported."""
    from oathward.core.db import read
    from oathward.network import views

    with opened(data) as site:
        who_may(site, person, "network.see")
        with read(site.engine) as db:
            rows = views.rulesets(db, site.site)
    value = [
        {"name": row.name, "imported": iso(from_micros(row.at_us)), "by": row.by, "rules": row.rules}
        | {"sha256": row.sha256, "realm": row.realm, "interfaces": row.interfaces}
        for row in rows
    ]

    def human() -> None:
        for row in rows:
            when = minute(iso(from_micros(row.at_us)))
            say(
                f"{row.name}  {counted(row.rules, 'rule')}  {when} UTC by {row.by}  SHA-256 {row.sha256[:16]}…"
            )
        if not rows:
            print("No rules were imported: oathward rules import NAME FILE")

    emit({"rulesets": value}, as_json=as_json, human=human)


@APP.command()
def remove(
    name: Name, person: PersonOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Forget the rules of a device; its findings are cleared."""
    from oathward.core.db import write
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.mapping import ruling
    from oathward.network import actions

    with opened(data) as site:
        who = who_may(site, person, "network.change")
        with write(site.engine) as db:
            gone = actions.remove_rules(db, site.site, name, by=who, now_us=now_us(site))
        if not gone:
            raise InputError("NAME", "no rules of this name were imported", reason=Reason.NOT_FOUND)
        told = ruling.forget(site, name, now_us(site))
    value = {"name": name, "cleared": told.cleared}
    emit(
        value,
        as_json=as_json,
        human=lambda: say(f"{name}: removed; {counted(told.cleared, 'finding')} cleared."),
    )


@APP.command()
def show(
    what: What,
    column: Columns = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rules as they are understood, and what of each is not."""
    if _is_file(what):
        ruleset = _of_file(what, column)
    else:
        with opened(data) as site:
            who_may(site, person, "network.see")
            ruleset = _kept(site, what).ruleset
    rows = [
        {"place": rule.place, "text": rule.text, "hits": rule.hits, "unclear": list(rule.unclear)}
        for rule in ruleset.rules
    ]

    def human() -> None:
        for rule in ruleset.rules:
            known = rule.hits is None or "counter packets" in rule.text
            hits = "" if known else f"  [{rule.hits:,} packets]"
            print(f"{rule.place}: {_plain(rule.text)}{hits}")
            for words in rule.unclear:
                print(f"  not understood: {_plain(words)}")
        for words in ruleset.unclear:
            print(f"not understood: {_plain(words)}")

    emit({"rules": rows, "unclear": list(ruleset.unclear)}, as_json=as_json, human=human)


@APP.command()
def compare(  # noqa: PLR0917  one parameter an option
    what: What,
    column: Columns = None,
    days: Annotated[
        int, typer.Option(min=1, max=400, help="So many days, up to the last flow that was seen.")
    ] = 30,
    realm: Realm = "",
    interface: Interfaces = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare rules with flows: which nobody uses, which are wider than their flows, which flows they stop and yet were seen."""
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.mapping import ruling
    from oathward.network import views
    from oathward.network.rules import comparing

    of_file = _of_file(what, column) if _is_file(what) else None
    behind = _networks(_pairs(interface, "--interface"))
    with opened(data) as site:
        who_may(site, person, "network.see")
        rules = _Rules(of_file, "", {}) if of_file is not None else _kept(site, what)
        with read(site.engine) as db:
            since_us = views.since(db, site.site, now_us(site), days)
        comparison = ruling.compare(
            *(site, rules.ruleset, since_us, since_us + days * _DAY_US),
            realm=realm or rules.realm,
            interfaces=rules.interfaces | behind,
        )
    if comparison is None:  # all rules would seem unused
        why = "no flow was seen, so nothing can be said of the rules: oathward observe PATH"
        raise InputError("--realm" if realm else "flows", why, reason=Reason.NOT_FOUND)
    emit(comparing.plain(comparison), as_json=as_json, human=lambda: _print(comparison))


def _print(found: Comparison) -> None:
    print(f"Flows were seen in at least {found.window.coverage:.0%} of the hours.")
    parts = (
        ("Rules that no flow met", [f"{rule.place}: {rule.text}" for rule in found.unused]),
        ("Rules that no sensor saw in use, and that count packets", [f"{rule.place}: {rule.text}" for rule in found.counted]),
        ("Rules that never decide", [f"{rule.place}: after {', '.join(one.place for one in by) or 'nothing leads there'}" for rule, by in found.shadowed]),
        ("Rules wider than their flows", [f"{one.rule.place}: {_times(one.permitted // one.used)}\n    {one.proposal or 'too many to name'}" for one in found.wider]),
        ("Flows that were answered though the rules stop them", [f"{one.flow.client} to {one.flow.server} {one.flow.transport}/{one.flow.port}: {', '.join(rule.place for rule in one.rules) or 'the policy at the end'}" for one in found.against]),
        ("Flows that the rules stop, and that nobody answered", [f"{one.flow.client} to {one.flow.server} {one.flow.transport}/{one.flow.port}: {', '.join(rule.place for rule in one.rules) or 'the policy at the end'}" for one in found.stopped]),
        ("Undecided", [f"{counted(count, 'flow')}: {why}" for why, count in found.undecided.items()]),
    )  # fmt: skip
    for title, rows in parts:
        print(f"\n{title}: {len(rows):,}")
        for row in rows[:SHOWN_MAX]:
            print(f"  {_plain(row)}")
        if len(rows) > SHOWN_MAX:
            print(f"  and {len(rows) - SHOWN_MAX:,} more; --json has them all")


def _times(count: int) -> str:
    """Say how many times wider: what permits any address is so by a number of dozens of digits, which tells nobody more."""
    return f"{count:,} times" if count < TIMES_MAX else f"more than {TIMES_MAX:,} times"


def _is_file(what: str) -> bool:
    return what == "-" or "/" in what or Path(what).exists()


def _of_file(file: str, columns: list[str] | None) -> Ruleset:
    from oathward.network import apart

    return apart.read_rules(read_bytes(file, apart.RULES_BYTES_MAX), _pairs(columns, "--column"))


def _kept(site: Opened, name: str) -> _Rules:
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.network import apart, views

    with read(site.engine) as db:
        found = views.rulesets(db, site.site, name)
    if not found:
        why = "neither a file nor the name of imported rules: oathward rules list"
        raise InputError("NAME|FILE", why, reason=Reason.NOT_FOUND)
    return _Rules(apart.read_rules(found[0].content, found[0].columns), found[0].realm, found[0].interfaces)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    return dict(_pair(one, option) for one in texts or ())


def _pair(text: str, option: str) -> tuple[str, str]:
    from oathward.core.errors import InputError

    name, sign, value = text.partition("=")
    if not (sign and name and value):
        raise InputError(option, "two words with = between them")
    return name.strip(), value.strip()


def _networks(behind: dict[str, str]) -> dict[str, str]:
    from oathward.core.errors import InputError
    from oathward.network.rules import spans

    for network in behind:
        try:
            spans.address_span(network)
        except ValueError as error:
            raise InputError("--interface", "a network as in 10.1.0.0/16 before the =") from error
    return behind


def _plain(text: str) -> str:
    """Make a text of a file safe for a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in text)
