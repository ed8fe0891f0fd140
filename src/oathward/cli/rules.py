"""``oathward rules``: rules of a firewall or switch in force, beside the flows that were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit, shown
from oathward.cli.permitted import who_may

if TYPE_CHECKING:
    from oathward.network.rules.comparing import Comparison
    from oathward.network.rules.model import Ruleset

APP = typer.Typer(
    help="Rules of firewalls and switches: read a list, compare it with the flows that were seen.",
    add_completion=False,
    no_args_is_help=True,
)
SHOWN_MAX = 40
_HOUR_US = 3_600_000_000

File = Annotated[str, typer.Argument(help="`nft list ruleset`, with or without -j, or CSV; - is stdin.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=NAME", help="For CSV: which column is what; may be repeated."),
]


@APP.command()
def show(file: File, column: Columns = None, as_json: JsonOption = False) -> None:
    """Show the rules as they are understood, and what of each is not."""
    ruleset = _read(file, column)
    rows = [
        {"place": rule.place, "text": rule.text, "hits": rule.hits, "unclear": list(rule.unclear)}
        for rule in ruleset.rules
    ]

    def human() -> None:
        for rule in ruleset.rules:
            hits = "" if rule.hits is None else f"  [{rule.hits} packets]"
            print(f"{rule.place}: {_plain(rule.text)}{hits}")
            for words in rule.unclear:
                print(f"  not understood: {_plain(words)}")
        for words in ruleset.unclear:
            print(f"not understood: {_plain(words)}")

    emit({"rules": rows, "unclear": list(ruleset.unclear)}, as_json=as_json, human=human)


@APP.command()
def compare(  # noqa: PLR0917  one parameter an option
    file: File,
    column: Columns = None,
    days: Annotated[
        int, typer.Option(min=1, max=400, help="So many days, up to the last flow that was seen.")
    ] = 30,
    realm: Annotated[
        str, typer.Option(help="Only flows of this realm: where the device's addresses mean something.")
    ] = "",
    interface: Annotated[
        list[str] | None,
        typer.Option(
            "--interface",
            metavar="NETWORK=NAME",
            help="Which network stands behind which interface; may be repeated.",
        ),
    ] = None,
    tell: Annotated[
        str,
        typer.Option(
            "--tell", metavar="DEVICE", help="Tell what is wrong as findings of this device's rules."
        ),
    ] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare rules with flows: which nobody uses, which are wider than their flows, which flows they stop and yet were seen."""
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.network import views
    from oathward.network.model import ConversationFilters
    from oathward.network.rules import comparing

    ruleset = _read(file, column)
    behind = dict(_pair(one, "--interface") for one in interface or ())
    with opened(data) as site:
        who_may(site, person, "network.see")
        at_us = now_us(site)
        with read(site.engine) as db:
            since_us = views.since(db, site.site, at_us, days)
            until_us = min(at_us, views.newest_us(db, site.site))
            wanted = ConversationFilters(realm=realm, since_us=since_us)
            found = views.conversations(db, site.site, wanted, limit=comparing.FLOWS_MAX)
    if not found:  # all rules would seem unused
        why = "no flow was seen, so nothing can be said of the rules: oathward observe PATH"
        raise InputError("--realm" if realm else "flows", why, reason=Reason.NOT_FOUND)
    flows = [
        comparing.SeenFlow(
            client=one.key.client,
            server=one.key.server,
            transport=one.key.transport,
            port=one.key.port,
            count=one.sums.flows,
            answered=True if one.sums.answered else False if one.sums.unanswered else None,
        )
        for one in found
    ]
    hours = {
        at
        for one in found
        for at in (one.first_us // _HOUR_US, one.last_us // _HOUR_US)
        if at * _HOUR_US >= since_us
    }
    window = comparing.Window(since_us, until_us, len(hours))
    comparison = comparing.compare(ruleset, flows, window, interfaces=behind)
    if tell:
        _tell(data, tell, comparison, person)
    emit(comparing.plain(comparison), as_json=as_json, human=lambda: _print(comparison, len(flows)))


def _tell(data: str | None, name: str, comparison: Comparison, person: str | None) -> None:
    from oathward.core.errors import InputError
    from oathward.findings.reconciling import reconcile
    from oathward.governance.model import ID
    from oathward.mapping import raising

    if not ID(name):
        raise InputError("--tell", "letters, digits, dot, dash and underscore, at most 64")
    with opened(data) as site:
        who_may(site, person, "finding.change")
        seen = list(raising.of_rules(name, comparison))[: raising.FINDINGS_MAX]
        reconcile(
            site.engine, site.site, f"{raising.RULES}:{name}", seen, site.settings.findings, now_us(site)
        )


def _print(found: Comparison, flows: int) -> None:
    print(f"{flows} conversations, in at least {found.window.coverage:.0%} of the hours.")
    parts = (
        ("Rules that no flow met", [f"{rule.place}: {rule.text}" for rule in found.unused]),
        ("Rules that no sensor saw in use, and that count packets", [f"{rule.place}: {rule.text}" for rule in found.counted]),
        ("Rules that never decide", [f"{rule.place}: after {', '.join(one.place for one in by) or 'nothing leads there'}" for rule, by in found.shadowed]),
        ("Rules wider than their flows", [f"{one.rule.place}: {one.permitted // one.used:,} times\n    {one.proposal or 'too many to name'}" for one in found.wider]),
        ("Flows that were answered though the rules stop them", [f"{one.flow.client} to {one.flow.server} {one.flow.transport}/{one.flow.port}: {', '.join(rule.place for rule in one.rules) or 'policy'}" for one in found.against]),
        ("Undecided", [f"{count} flows: {why}" for why, count in found.undecided.items()]),
    )  # fmt: skip
    for title, rows in parts:
        print(f"\n{title}: {len(rows)}")
        for row in rows[:SHOWN_MAX]:
            print(f"  {_plain(row)}")
        if len(rows) > SHOWN_MAX:
            print(f"  and {len(rows) - SHOWN_MAX} more; --json has them all")


def _read(file: str, columns: list[str] | None) -> Ruleset:
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.network.rules import acl, nft

    content = read_bytes(file)
    if columns:
        found = acl.read(content, dict(_pair(one, "--column") for one in columns))
    else:
        found = nft.read(content)
    if not found.chains:
        why = "holds no rules as `nft list ruleset` writes them; of a CSV say with --column which column is what"
        raise InputError(shown(file), why, reason=Reason.FORMAT_UNSUPPORTED)
    return found


def _pair(text: str, option: str) -> tuple[str, str]:
    from oathward.core.errors import InputError

    name, sign, value = text.partition("=")
    if not (sign and name and value):
        raise InputError(option, "two words with = between them")
    return name.strip(), value.strip()


def _plain(text: str) -> str:
    """Make a text of a file safe for a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in text)
