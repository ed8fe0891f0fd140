"""Promises about segments: by day, whole or absent, one source's group in place of itself, put together without loss or double."""

import os

import polars as pl
import pytest

from oathward.discovery.model import FLOW_COLUMNS
from oathward.network import segments

DAY = segments.DAY_US
SOURCE = "01890000-0000-7000-8000-000000000001"
OTHER = "01890000-0000-7000-8000-000000000002"
T = 20_000 * DAY


def flows(*starts, **more):
    empty = {"String": "", "Int64": 0, "UInt16": 0, "Boolean": True}
    rows = [
        {name: empty[kind] for name, kind in FLOW_COLUMNS.items()} | {"start_us": at} | more for at in starts
    ]
    return pl.DataFrame(rows, schema={name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()})


def starts(data):
    return sorted(segments.scan(data, 0, 2**60).collect()["start_us"].to_list())


def test_flows_lie_by_the_day_in_which_they_began(tmp_path):
    days = segments.put(tmp_path, SOURCE, 0, flows(T, T + 5, T + DAY))
    assert days == segments.days(tmp_path) == ["2024-10-04", "2024-10-05"]
    assert starts(tmp_path) == [T, T + 5, T + DAY]
    assert segments.scan(tmp_path, T + 1, T + DAY).collect()["start_us"].to_list() == [T + 5]
    assert segments.scan(tmp_path, 0, 5).collect().height == 0
    files = list(tmp_path.glob("flows/*/*"))
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}


def test_the_same_group_again_takes_the_place_of_itself(tmp_path):
    for _ in range(2):
        segments.put(tmp_path, SOURCE, 0, flows(T, T + 1))
        segments.put(tmp_path, SOURCE, 4, flows(T + 2))
    assert starts(tmp_path) == [T, T + 1, T + 2]


def test_what_was_never_committed_goes_before_its_source_is_read_on(tmp_path):
    segments.put(tmp_path, SOURCE, 0, flows(T))
    segments.put(tmp_path, SOURCE, 4, flows(T + 1))
    segments.put(tmp_path, OTHER, 9, flows(T + 2))
    assert segments.forget_behind(tmp_path, SOURCE, 4) == 1
    assert starts(tmp_path) == [T, T + 2]


def test_a_day_is_put_together_once_and_again(tmp_path):
    for part in range(segments.TOGETHER_MIN):
        segments.put(tmp_path, SOURCE, part, flows(T + part))
    segments.put(tmp_path, OTHER, 7, flows(T + 99))
    assert not segments.put_together(tmp_path, "2024-10-04", OTHER, lambda one: {OTHER: 7, SOURCE: 3}[one])
    assert segments.put_together(tmp_path, "2024-10-04", OTHER, lambda one: {OTHER: 7, SOURCE: 99}[one])
    assert starts(tmp_path) == [*range(T, T + segments.TOGETHER_MIN), T + 99]
    assert len(list(tmp_path.glob("flows/*/*.parquet"))) == 2  # the other's was not committed
    for part in range(50, 50 + segments.TOGETHER_MIN):
        segments.put(tmp_path, SOURCE, part, flows(T + part))
    assert segments.put_together(tmp_path, "2024-10-04", SOURCE, lambda one: 99 if one == SOURCE else 0)
    assert len(starts(tmp_path)) == 2 * segments.TOGETHER_MIN + 1


@pytest.mark.parametrize("stop_at", range(1, 12))
def test_a_crash_while_it_is_put_together_loses_nothing_and_doubles_nothing(tmp_path, monkeypatch, stop_at):
    """Stopped at each flush, removal and renaming in turn."""
    for part in range(segments.TOGETHER_MIN):
        segments.put(tmp_path, SOURCE, part, flows(T + part))
    before, calls = starts(tmp_path), []

    def stopping(real):
        def call(*args, **kwargs):
            calls.append(1)
            if len(calls) == stop_at:
                raise OSError(5, "stopped")
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(segments, "_flush", stopping(segments._flush))
        patch.setattr("pathlib.Path.unlink", stopping(type(tmp_path).unlink))
        patch.setattr("pathlib.Path.replace", stopping(type(tmp_path).replace))
        with pytest.raises(OSError, match="stopped"):
            segments.put_together(tmp_path, "2024-10-04", OTHER, lambda _: 99)
    assert starts(tmp_path) == before
    segments.put_together(tmp_path, "2024-10-04", "01890000-0000-7000-8000-000000000003", lambda _: 99)
    assert starts(tmp_path) == before


def test_a_full_disk_leaves_no_half_segment(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        segments.put(tmp_path, SOURCE, 0, flows(T))
    assert starts(tmp_path) == []


def test_days_go_when_they_are_over(tmp_path):
    segments.put(tmp_path, SOURCE, 0, flows(T, T + DAY, T + 2 * DAY))
    assert segments.forget(tmp_path, T + 2 * DAY + 5) == 2
    assert starts(tmp_path) == [T + 2 * DAY]
