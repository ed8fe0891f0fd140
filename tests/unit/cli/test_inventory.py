"""``oathward inventory``: listed, one shown with who says what, a person's word taken and taken back, hostile names printed harmless."""

import json

import pytest
from tests.site import Site

from oathward.app import build
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.settings import load
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import caring
from oathward.endpoints.actions import take
from oathward.endpoints.care import Care


@pytest.fixture
def go(data, capsys):
    """Two endpoints, and what asks about them."""
    site = build(load(data), "admin")
    now_us = micros(site.clock.now())
    said = [
        Statement(
            now_us - n * 60_000_000,
            "zeek.dhcp",
            "main",
            (
                Mark(MarkKind.MAC, f"00:1b:63:00:00:0{n}"),
                Mark(MarkKind.ADDRESS, f"10.0.0.{n}"),
                Mark(MarkKind.SERIAL, f"acme|sn-770{n}"),
            ),
            (Fact("make", "Acme" if n == 1 else "Bolt\x1b[31m", 0.9),),
        )
        for n in (1, 2)
    ]
    take(site.engine, site.site, said, now_us, "test")
    site.keeper.close()
    site.engine.dispose()

    def ask(*arguments, plain=False):
        form = [] if plain else ["--json"]
        code = run(["inventory", *arguments, "--data", str(data), "--person", "Dana", *form])
        out, err = capsys.readouterr()
        return code, out if plain or not out.strip() else json.loads(out), err

    return ask


def ids(go, *more):
    return [one["id"] for one in go("list", *more)[1]["endpoints"]]


def test_they_are_listed_by_what_is_asked_for(go):
    both = ids(go)
    assert len(both) == 2
    assert ids(go, "--where", "make=Acme") == both[:1]
    assert ids(go, "--search", "10.0.0.2") == both[1:]
    assert ids(go, "--unknown", "model") == both
    assert ids(go, "--conflict") == []
    [row, _] = go("list")[1]["endpoints"]
    assert (row["lifecycle"], row["lifecycle_since"][-1]) == ("in-use", "Z")
    assert ids(go, "--limit", "1") == both[:1]
    assert ids(go, "--limit", "1", "--after", go("list", "--limit", "1")[1]["after"]) == both[1:]
    code, out, _ = go("list", plain=True)
    assert code == 0
    assert "undeclared" in out
    assert "\x1b" not in out
    head, *rows, count = out.splitlines()
    assert count == "2 of 2 listed."
    assert len({row.index("undeclared") for row in rows} | {head.index("declared")}) == 1
    assert go("list", "--search", "no-such", plain=True)[1] == "None is as asked for.\n"


@pytest.mark.parametrize(
    "wrong",
    [("--where", "make"), ("--where", "maek=Acme"), ("--unknown", "nothing"), ("--where", "make=a\nb")],
)
def test_a_filter_that_is_none_is_refused(go, wrong):
    code, out, err = go("list", *wrong)
    assert (code, out) == (65, "")
    assert "input.invalid" in err


def test_one_is_shown_with_who_says_what(go):
    id_ = ids(go, "--where", "make=Acme")[0]
    shown = go("show", id_)[1]
    assert [(one["value"], one["source"]) for one in shown["said"] if one["attribute"] == "make"] == [
        ("Acme", "zeek.dhcp")
    ]
    out = go("show", id_, plain=True)[1]
    assert "maker: Acme  zeek.dhcp 90%" in out
    assert "nobody declared it" in out
    code, _, err = go("show", "none")
    assert code != 0
    assert "not-found" in err


@pytest.mark.parametrize("called", ["10.0.0.1", "00-1B-63-00-00-01", "Pump West"])
def test_one_is_shown_by_what_it_alone_is_called(go, called):
    id_ = ids(go, "--where", "make=Acme")[0]
    assert go("say", "name", "Pump West", id_)[0] == 0
    assert go("show", called)[1]["endpoint"]["id"] == id_


def test_several_of_one_name_are_listed(go):
    both = ids(go)
    for id_ in both:
        assert go("say", "name", "Pump West", id_)[0] == 0
    assert {one["id"] for one in go("show", "pump west")[1]["endpoints"]} == set(both)
    code, out, _ = go("show", "pump west", plain=True)
    assert code == 0
    assert "2 are called so" in out


def test_a_person_says_and_takes_back(go):
    both = ids(go)
    assert go("say", "unit", "ICU 2", *both)[0] == 0
    assert ids(go, "--where", "unit=ICU 2") == both
    assert go("say", "unit", "", both[0])[0] == 0
    assert ids(go, "--where", "unit=ICU 2") == both[1:]
    assert go("say", "criticality", "very", both[0])[0] == 65
    assert go("say", "fda-class", "3", both[0])[0] == 65


def test_care_states_are_asked_for(go, data):
    both = ids(go)
    site = build(load(data), "admin")
    caring.put(site.engine, site.site, {both[0]: (Care.IN_USE, "hl7", 1)}, 1, "test")
    site.keeper.close()
    site.engine.dispose()
    assert {state: ids(go, "--care", state) for state in ("in-use", "idle", "unknown")} == {
        "in-use": both[:1],
        "idle": [],
        "unknown": both[1:],
    }
    assert go("list", "--care", "busy")[0] == 2


def test_two_are_one_and_one_is_two_until_it_is_undone(go):
    one, other = ids(go)
    merged = go("merge", one, other, "--why", "one box")[1]
    assert ids(go) == [one]
    assert go("undo", merged["merge"], "--why", "two after all")[0] == 0
    assert set(ids(go)) == {one, other}
    assert go("split", one, "serial=nobody|9", "--why", "x")[0] != 0
    parted = go("split", one, "serial=acme|sn-7701", "--why", "another's sticker")[1]
    assert {(m["kind"], m["value"]) for m in go("show", parted["new"])[1]["marks"]} == {
        ("serial", "acme|sn-7701")
    }
    assert go("undo", parted["split"], "--why", "no")[0] == 0


def test_what_a_list_alone_has_was_never_heard(data, go):
    site = build(load(data), "admin")
    now_us = micros(site.clock.now())
    listed = Statement(now_us, "cmms", "", (Mark(MarkKind.TAG, "N-77"),), (Fact("make", "Corva", 1.0),))
    take(site.engine, site.site, [listed], now_us, "test")
    site.keeper.close()
    site.engine.dispose()
    [id_] = ids(go, "--where", "make=Corva")
    assert "never heard" in go("list", "--where", "make=Corva", plain=True)[1]
    assert "never heard" in go("show", id_, plain=True)[1]
    assert "  tag N-77  " in go("list", "--where", "make=Corva", plain=True)[1]
    assert go("show", id_)[1]["endpoint"]["last"] is None


def test_what_was_not_heard_for_days_is_asked_for(data, go):
    site = build(load(data), "admin")
    now_us = micros(site.clock.now())
    old = Statement(
        now_us - 8 * 86_400_000_000,
        "zeek",
        "main",
        (Mark(MarkKind.MAC, "00:1b:63:00:00:77"),),
        (Fact("make", "Velo", 1.0),),
    )
    take(site.engine, site.site, [old], now_us, "test")
    site.keeper.close()
    site.engine.dispose()
    [id_] = ids(go, "--where", "make=Velo")
    assert id_ in ids(go, "--silent", "7")
    assert id_ not in ids(go, "--silent", "9")
    assert go("list", "--silent", "7", "--where", "make=Acme")[1]["endpoints"] == []


def test_an_empty_inventory_says_what_would_fill_it(tmp_path, capsys):
    empty = Site.make(tmp_path / "s")
    assert run(["inventory", "list", "--data", str(empty.settings.data)]) == 0
    assert "oathward observe PATH" in capsys.readouterr().out
