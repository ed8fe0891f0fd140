"""A verification that ends by a bug of ours is said to have found nothing out, and never that all is well."""

from types import SimpleNamespace

import pytest

from oathward.core.clock import Clock
from oathward.web.pages import ledger


def test_a_verification_that_breaks_says_so(monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("Zqsecretname")

    monkeypatch.setattr(ledger.verifying, "keys_of", broken)
    mine = ledger.Verification(started_us=1)
    with pytest.raises(RuntimeError):
        ledger._verify(SimpleNamespace(settings=None, clock=Clock()), mine)
    assert (mine.runs, mine.report, mine.trouble) == (False, None, "internal")
    assert mine.ended_us > mine.started_us
