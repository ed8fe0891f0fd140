"""What commands of the network print for people: numbers one can read, addresses in their order, words that fit one and many."""

import pytest
from tests.site import Site

from oathward.cli import network, observe, rules
from oathward.cli.main import run
from oathward.network.model import PlanRow


def test_networks_of_the_plan_stand_in_the_order_of_their_addresses():
    nets = ["10.0.0.128/26", "2001:db8::/32", "10.0.0.64/26", "9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/26"]
    rows = sorted((PlanRow("main", net, "", "", "", "") for net in nets), key=network._by_place)
    assert [row.network for row in rows] == [
        *("9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26", "2001:db8::/32"),
    ]


@pytest.mark.parametrize(
    ("count", "said"),
    [(1_234, "1,234 times"), (2**128, "more than 1,000,000 times"), (2**256, "more than 1,000,000 times")],
)
def test_how_much_wider_a_rule_is_stays_a_number_that_can_be_read(count, said):
    assert rules._times(count) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.txt"], "1 is of no format that is read here: a.txt"),
        (["a", "b"], "2 are of no format that is read here: a, b"),
    ],
)
def test_one_file_is_and_many_are(names, said, capsys):
    observe._tell_unread([{"name": name, "state": "unknown"} for name in names])
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.parametrize("command", ["list", "export"])
def test_an_address_that_is_none_is_refused_and_not_looked_for(command, tmp_path, capsys):
    data = str(Site.make(tmp_path / "s").settings.data)
    assert run(["flows", command, "--address", "300.1.1.1", "--data", data]) == 65
    said = capsys.readouterr()
    assert said.out == ""
    assert "--address" in said.err
