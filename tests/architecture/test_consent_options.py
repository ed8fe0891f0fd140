"""Each option of IHE PCF names a test that there is, and the page shows the table that the code has."""

import ast
from pathlib import Path

from oathward.consent.fhir.options import OPTIONS, SUPPORT, TESTS, Option, table

ROOT = Path(__file__).resolve().parents[2]


def without_a_test(options: tuple[Option, ...]) -> list[str]:
    """Options whose test there is not, and tests that are no option's."""
    tree = ast.parse((ROOT / TESTS).read_text())
    there = {
        one.name for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
    }
    named = [one.test for one in options]
    return [*(test for test in named if test not in there), *sorted(there - set(named))]


def test_each_option_has_its_own_test():
    assert without_a_test(OPTIONS) == []
    assert len({one.test for one in OPTIONS}) == len(OPTIONS)
    assert {one.support for one in OPTIONS} <= set(SUPPORT)


def test_the_page_shows_the_table():
    assert table() in (ROOT / "docs/reference/consent.md").read_text(), "run scripts/consent_options.py"


def test_reverse_an_option_without_a_test_is_seen():
    made_up = Option("Basic", "anything", "whole", "", "test_of_nothing")
    assert without_a_test((*OPTIONS, made_up)) == ["test_of_nothing"]
    assert without_a_test(OPTIONS[1:]) == [OPTIONS[0].test]
