"""A worker that a bug ends says where, and nothing of what it read."""

import sys

from oathward.deidentifying import worker


def test_a_bug_is_told_by_place_and_kind_alone(capsys):
    try:
        int("Doe^John")
    except ValueError:
        worker._ended(*sys.exc_info())
    told = capsys.readouterr().err
    assert "ValueError at test_worker.py:10" in told
    assert "Doe" not in told
