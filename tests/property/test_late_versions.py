"""Whatever flows and TLS versions are stored in whichever order, cut into groups and runs, some of them cut short or told twice: each flow is counted
once, under the weakest version that was said of its ends within a day of it."""

from collections import Counter
from dataclasses import replace
from itertools import count

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.opened import folder, site  # noqa: F401  fixtures

from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.discovery.model import FLOW_COLUMNS
from oathward.network import actions, moving, segments, views
from oathward.network.model import ConversationFilters, Sums
from oathward.observing import versions
from oathward.observing.living import Living
from oathward.observing.run import Run

T_US = 1_790_000_000 // 86_400 * 86_400_000_000
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
VERSIONS = ("TLSv1.0", "TLSv1.2", "TLSv1.3")
CLIENTS = ("10.1.0.1", "10.1.0.2")
HOURS = (3, 23)
"""Of a day: apart, so that no hour has two flows of one client. What lasts from the second one ends on the next day."""

days, clients = st.integers(0, 4), st.sampled_from(CLIENTS)
flows = st.builds(
    lambda day, hour, *rest: ("flow", day * DAY_US + hour * HOUR_US, *rest),
    *(days, st.sampled_from(HOURS), clients, st.sampled_from(["tls", "tls", "http"])),
    st.sampled_from([HOUR_US // 4, 2 * HOUR_US - 1]),
)
sessions = st.builds(
    lambda day, *rest: ("session", day * DAY_US + HOUR_US, *rest, 0),
    *(days, clients, st.sampled_from(VERSIONS)),
)
histories = st.lists(flows | sessions, min_size=1, max_size=10).map(
    lambda rows: [
        one
        for n, one in enumerate(rows)
        if one[:3] not in [had[:3] for had in rows[:n]] or one[0] == "session"
    ]
)
"""In the order in which they are read: no two flows of one client at one time; what is said of TLS may be told twice."""
cuttings = st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=10, max_size=10)
"""How many rows the next group has, and whether it is another run's."""
numbers = count()


def frame(realm, rows):
    """Make rows as observers give them."""
    made = []
    for kind, start_us, client, what, lasts_us in rows:
        row = dict.fromkeys(FLOW_COLUMNS, "") | {
            "start_us": start_us, "end_us": start_us + lasts_us, "realm": realm, "client": client,
            "server": "10.2.0.9", "transport": "tcp", "port": 443, "service": "tls", "source": "zeek",
            "answered": True,
        }  # fmt: skip
        counts = dict.fromkeys(("client_bytes", "server_bytes", "client_packets", "server_packets"))
        if kind == "flow":
            counts = dict.fromkeys(counts, 1_000 + start_us // HOUR_US % 997)
        made.append(row | counts | {"service" if kind == "flow" else "tls": what})
    return pl.DataFrame(made, schema={name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()})


def expected(rows):
    """Say what is counted: client, service, version, and which of the sums -> how much."""
    found = Counter()
    for kind, start_us, client, service, _ in rows:
        if kind != "flow":
            continue
        said = [
            one[3]
            for one in rows
            if one[0] == "session" and one[2] == client and abs(one[1] // DAY_US - start_us // DAY_US) <= 1
        ]
        key = (client, service, min(said, default="") if service == "tls" else "")
        found[*key, "flows"] += 1
        found[*key, "client_bytes"] += 1_000 + start_us // HOUR_US % 997
    return found


def counted(opened, realm):
    """Say what is counted in a realm, and that hours agree with it."""
    found = Counter()
    with read(opened.engine) as db:
        for one in views.conversations(db, opened.site, ConversationFilters()):
            if one.key.realm != realm:
                continue
            hours = [said for _, said in views.hours(db, opened.site, one.id)]
            assert Sums(*map(sum, zip(*hours, strict=True))) == one.sums
            key = (one.key.client, one.key.service, one.key.tls)
            found[*key, "flows"] += one.sums.flows
            found[*key, "client_bytes"] += one.sums.client_bytes
    return +found


class Cut:
    """Calls that write, of which one fails."""

    def __init__(self, at):
        self.left = at

    def __call__(self, call):
        def wrapped(*arguments):
            self.left -= 1
            if self.left == 0:
                raise StorageError("database", "is gone")
            return call(*arguments)

        return wrapped


def stored(opened, groups, cut):
    """Store groups, each of a source of its own, in one run until one is cut short; then that one again in another run."""
    run = Run(opened, "r", Living(opened, "p-1"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(moving, "MOVED_MAX", 1)
        fails = Cut(cut)
        patched.setattr(versions, "give", fails(versions.give))
        patched.setattr(actions, "store", fails(actions.store))
        for rows, again in groups:
            before = run.begin(run.new_source("zeek", "a"), lambda _: "")
            now = replace(before, parts=1)
            if again:
                run = Run(opened, "r", Living(opened, "p-1"))
            try:
                run._groups.keep(rows, [], [], before, now)
            except StorageError:
                run = Run(opened, "r", Living(opened, "p-1"))
                segments.forget_behind(opened.settings.data, before.id, before.parts)
                run._groups.keep(rows, [], [], before, now)


@example(
    rows=[
        ("flow", 23 * HOUR_US, CLIENTS[0], "tls", 2 * HOUR_US - 1),
        ("session", 2 * DAY_US, CLIENTS[0], "TLSv1.0", 0),
    ],
    cuts=[(1, False)] * 2,
    fails=0,
)
@given(rows=histories, cuts=cuttings, fails=st.integers(0, 6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_each_flow_is_counted_once_under_the_weakest_version_said_near_it(site, rows, cuts, fails):  # noqa: F811  a fixture
    realm, groups, left = f"r-{next(numbers)}", [], rows
    for size, again in cuts:
        if left:
            groups.append((frame(realm, left[:size]), again))
            left = left[size:]
    stored(site, groups, fails)
    assert counted(site, realm) == expected(rows)
