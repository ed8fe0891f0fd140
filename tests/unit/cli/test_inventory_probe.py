"""What a probe's order prints: what came of it, what was told, and that there was no second connection."""

from oathward.cli.inventory_probe import _say
from oathward.discovery.model import Fact
from oathward.discovery.probing.probe import Outcome, Told
from oathward.endpoints.model import ProbeRow

ROW = ProbeRow("p-7", "e-1", 1, "p", "why", "tls", "10.1.0.7", 443)


def test_each_thing_told_has_its_words_and_an_end_is_a_time(capsys):
    facts = (Fact("tls", "TLSv1.0", 0.9), Fact("certificate-until", "1798067960", 0.9))
    _say(ROW, Told(Outcome.ANSWERED, facts, "ab" * 32))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "tls at 10.1.0.7 port 443: it answered.",
        "TLS version it speaks as a server: TLSv1.0",
        "end of its certificate: 2026-12-23 23:19 UTC",
        f"SHA-256 of its certificate: {'ab' * 32}",
        "On record as probe p-7; no second connection was opened.",
    ]


def test_why_it_declined_stands_beside_it(capsys):
    _say(ROW, Told(Outcome.DECLINED, detail="called AE title not recognised"))
    assert "declined (called AE title not recognised)." in capsys.readouterr().out
