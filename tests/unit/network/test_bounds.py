"""Rules and plans come from others: each bound of what is read of them is seen to hold by going beyond it."""

import pytest
from tests.unit.network.test_rules import COLUMNS, CSV, ruleset, verdict

from oathward.core.db import connect, create_tables, read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network import plan, views
from oathward.network.model import ConversationFilters
from oathward.network.rules import acl, deciding, nft, nft_match
from oathward.network.rules.deciding import Verdict

PLAN = b"network\n10.1.0.0/16\n10.2.0.0/16\n10.3.0.0/16\n"
TOML = b"[[network]]\nnetwork='10.1.0.0/16'\n[[network]]\nnetwork='10.2.0.0/16'\n[[network]]\nnetwork='10.3.0.0/16'\n"
RULES = (
    b"table ip f { chain c { type filter hook forward priority 0; tcp dport 1 accept; tcp dport 2 accept; } }"
)
PAIRS = ", ".join(f"10.1.0.{number} . {number}" for number in range(1, 9))


@pytest.mark.parametrize(
    ("home", "name", "bound", "read"),
    [
        (plan, "BYTES_MAX", len(PLAN) - 1, lambda: plan.parse(PLAN, "p.csv", "r")),
        (plan, "ROWS_MAX", 2, lambda: plan.parse(PLAN, "p.csv", "r")),
        (plan, "ROWS_MAX", 2, lambda: plan.parse(TOML, "p.toml", "r")),
        (acl, "SIZE_BYTES_MAX", 20, lambda: acl.read(CSV.encode(), COLUMNS)),
        (acl, "ROWS_MAX", 2, lambda: acl.read(CSV.encode(), COLUMNS)),
        (nft, "SIZE_BYTES_MAX", len(RULES) - 1, lambda: nft.read(RULES)),
        (nft, "RULES_MAX", 1, lambda: nft.read(RULES)),
    ],
    ids=["plan-bytes", "plan-rows", "plan-tables", "list-bytes", "list-rows", "nft-bytes", "nft-rules"],
)
def test_more_than_can_be_is_refused_whole(monkeypatch, home, name, bound, read):
    read()
    monkeypatch.setattr(home, name, bound)
    with pytest.raises(InputError) as error:
        read()
    assert error.value.reason is Reason.LIMIT_EXCEEDED


@pytest.mark.parametrize("home", [nft_match, nft])
def test_a_rule_of_too_many_cases_decides_nothing(monkeypatch, home):
    line = f"ip saddr . tcp dport {{ {PAIRS} }} accept"
    assert verdict(ruleset(line), "10.1.0.3", "10.2.0.1", 3) is Verdict.PERMIT
    monkeypatch.setattr(home, "MATCHES_MAX", 3)
    assert verdict(ruleset(line), "10.1.0.3", "10.2.0.1", 3) is Verdict.INDETERMINATE


def test_jumps_too_deep_decide_nothing(monkeypatch):
    deep = b"""table ip f {
        chain a { type filter hook forward priority 0; jump b; }
        chain b { jump c; }
        chain c { jump d; }
        chain d { tcp dport 80 accept; }
    }"""
    rules = nft.read(deep)
    assert verdict(rules, "10.1.0.1", "10.2.0.1", 80) is Verdict.PERMIT
    monkeypatch.setattr(deciding, "JUMPS_MAX", 2)
    assert verdict(rules, "10.1.0.1", "10.2.0.1", 80) is Verdict.INDETERMINATE


def test_a_place_in_a_list_that_is_none_begins_at_the_first(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    with read(engine) as db:
        for after in ("9" * 30 + "." + "0" * 32, "-1." + "0" * 32, "x", "1.zz"):
            assert views.newest(db, "north", ConversationFilters(), after=after) == ([], "")
    engine.dispose()
