"""Names of servers: the last counts; a day that changed is read again, one that did not is not."""

import polars as pl
import pytest

from oathward.discovery.model import FLOW_COLUMNS
from oathward.mapping import naming
from oathward.network import segments

DAY = 86_400_000_000
T = 20_000 * DAY


def flows(*rows):
    """Flows: (microseconds after T, server's name)."""
    empty = {name: ["" if kind == "String" else 0] * len(rows) for name, kind in FLOW_COLUMNS.items()}
    values = {"start_us": [T + at for at, _ in rows], "server_name": [name for _, name in rows]}
    more = {"realm": ["r"] * len(rows), "server": ["203.0.113.7"] * len(rows), "port": [443] * len(rows)}
    kinds = {name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()}
    return pl.DataFrame(empty | values | more, schema=kinds, strict=False)


def name(data, after=0):
    return naming.server_names(data, T + after).get(("r", "203.0.113.7", 443))


def put(data, part, *rows):
    segments.put(data, "01a20122-0600-7704-bc29-000000000001", part, flows(*rows))


def test_of_several_names_the_last_counts_over_days_too(tmp_path):
    put(tmp_path, 0, (5, "b.example.org"), (9, "c.example.org"), (1, "a.example.org"), (10, ""))
    assert name(tmp_path) == "c.example.org"
    put(tmp_path, 1, (DAY + 1, "d.example.org"))
    assert name(tmp_path) == "c.example.org"  # what is looked at ends before
    assert name(tmp_path, DAY) == "d.example.org"
    assert name(tmp_path, 9 * DAY) is None


def test_a_day_is_read_again_when_its_files_changed_and_only_then(tmp_path, monkeypatch):
    put(tmp_path, 0, (1, "a.example.org"))
    assert name(tmp_path) == "a.example.org"
    put(tmp_path, 1, (2, "b.example.org"))
    assert name(tmp_path) == "b.example.org"
    monkeypatch.setattr(segments, "scan", lambda *_: pytest.fail("read again"))
    assert name(tmp_path) == "b.example.org"
