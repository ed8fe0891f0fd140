"""OWASP ASVS 5.0, chapters V4, V6, V7, V8, V10 at level 2: each requirement is met by something named, or said not to be.

The table is ``asvs.tsv``: id, level, what it asks in our words, state, where, why. ``where`` is a list of tests (``file::test``,
``file::Class.test``), names of the source (``file:name``) or sections of the documentation (``page#section``).
"""

import ast
import csv
import re
from functools import cache

import pytest
from tests.architecture import tracked

TABLE = tracked.ROOT / "tests" / "architecture" / "asvs.tsv"
COLUMNS = ["id", "level", "asks", "state", "where", "why"]
STATES = {"met", "not-applicable", "open"}
IDS = """
4.1.1:1 4.1.2:2 4.1.3:2 4.2.1:2 4.3.1:2 4.3.2:2 4.4.1:1 4.4.2:2 4.4.3:2 4.4.4:2
6.1.1:1 6.1.2:2 6.1.3:2 6.2.1:1 6.2.2:1 6.2.3:1 6.2.4:1 6.2.5:1 6.2.6:1 6.2.7:1 6.2.8:1 6.2.9:2 6.2.10:2 6.2.11:2 6.2.12:2
6.3.1:1 6.3.2:1 6.3.3:2 6.3.4:2 6.4.1:1 6.4.2:1 6.4.3:2 6.4.4:2 6.5.1:2 6.5.2:2 6.5.3:2 6.5.4:2 6.5.5:2
6.6.1:2 6.6.2:2 6.6.3:2 6.8.1:2 6.8.2:2 6.8.3:2 6.8.4:2
7.1.1:2 7.1.2:2 7.1.3:2 7.2.1:1 7.2.2:1 7.2.3:1 7.2.4:1 7.3.1:2 7.3.2:2 7.4.1:1 7.4.2:1 7.4.3:2 7.4.4:2 7.4.5:2
7.5.1:2 7.5.2:2 7.6.1:2 7.6.2:2
8.1.1:1 8.1.2:2 8.2.1:1 8.2.2:1 8.2.3:2 8.3.1:1 8.4.1:2
10.1.1:2 10.1.2:2 10.2.1:2 10.2.2:2 10.3.1:2 10.3.2:2 10.3.3:2 10.3.4:2
10.4.1:1 10.4.2:1 10.4.3:1 10.4.4:1 10.4.5:1 10.4.6:2 10.4.7:2 10.4.8:2 10.4.9:2 10.4.10:2 10.4.11:2
10.5.1:2 10.5.2:2 10.5.3:2 10.5.4:2 10.5.5:2 10.6.1:2 10.6.2:2 10.7.1:2 10.7.2:2 10.7.3:2
"""
"""Every requirement of these chapters at level 1 or 2, with its level."""

REQUIRED = dict(one.split(":") for one in IDS.split())
WHY_LENGTH_MIN = 15


def rows() -> list[dict[str, str]]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def faults(table: list[dict[str, str]]) -> list[str]:
    """Say everything that is wrong with a table."""
    found, seen = [], set()
    for row in table:
        id_ = row["id"]
        if list(row) != COLUMNS or not all(isinstance(value, str) for value in row.values()):
            found.append(f"{id_}: has other columns")
            continue
        if id_ in seen:
            found.append(f"{id_}: is there twice")
        seen.add(id_)
        if REQUIRED.get(id_) != row["level"]:
            found.append(f"{id_}: no such requirement of level {row['level']}")
        found += [f"{id_}: {why}" for why in wrong_in(row)]
    return found + [f"{id_}: is not there" for id_ in REQUIRED if id_ not in seen]


def wrong_in(row: dict[str, str]) -> list[str]:
    places = row["where"].split()
    found = [f"{place}: {why}" for place in places if (why := not_there(place))]
    if row["state"] not in STATES:
        found.append(f"{row['state']!r} is no state")
    if row["state"] == "met" and not places:
        found.append("met by what?")
    if row["state"] != "met" and len(row["why"]) < WHY_LENGTH_MIN:
        found.append("why is it not met?")
    if not row["asks"]:
        found.append("asks for what?")
    return found


def not_there(place: str) -> str:
    """Say what a place lacks; empty where it is there."""
    parts = re.fullmatch(r"([\w./-]+)(::|:|#)([\w.-]+)", place)
    if parts is None or not (tracked.ROOT / parts[1]).is_file():
        return "no such file"
    path, mark, name = parts.groups()
    if mark == "#":
        return "" if name in sections(path) else "no such section"
    if (mark == "::") != (path.startswith("tests/") and name.rpartition(".")[2].startswith("test_")):
        return "a test is written FILE::test_NAME, all else FILE:NAME"
    return "" if name in names(path) else "no such name"


@cache
def names(path: str) -> frozenset[str]:
    """Name what a module defines: functions, classes, their methods, and constants."""
    found = set()
    for node in ast.parse((tracked.ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{one.name}" for one in methods}
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []  # fmt: skip
        found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return frozenset(found)


@cache
def sections(path: str) -> frozenset[str]:
    heads = re.findall(r"^#+ (.+)$", (tracked.ROOT / path).read_text(), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads)


def test_every_requirement_is_mapped_to_what_is_there():
    assert faults(rows()) == []


def test_there_are_as_many_as_the_standard_has():
    """Counted in the standard's own text: levels 1 and 2 of these chapters."""
    assert len(REQUIRED) == 99
    by_chapter = {}
    for id_ in REQUIRED:
        chapter = id_.partition(".")[0]
        by_chapter[chapter] = by_chapter.get(chapter, 0) + 1
    assert by_chapter == {"4": 10, "6": 35, "7": 18, "8": 7, "10": 29}


def test_what_is_open_is_known():
    """One more that is not met, or one less, is said here too."""
    assert {row["id"] for row in rows() if row["state"] == "open"} == OPEN


OPEN = {"6.2.4"}

A_TEST = "tests/architecture/test_asvs.py::test_there_are_as_many_as_the_standard_has"


def changed(**cells: str) -> list[dict[str, str]]:
    """Give the table with its first row changed."""
    first, *others = rows()
    return [first | cells, *others]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (rows()[1:], f"{rows()[0]['id']}: is not there"),
        ([*rows(), rows()[0]], "is there twice"),
        ([*rows(), rows()[0] | {"id": "4.1.99"}], "4.1.99: no such requirement"),
        (changed(level="3"), "no such requirement of level 3"),
        (changed(state="perhaps"), "is no state"),
        (changed(state="met", where=""), "met by what?"),
        (changed(state="open", where="", why="later"), "why is it not met?"),
        (changed(state="not-applicable", where="", why=""), "why is it not met?"),
        (changed(asks=""), "asks for what?"),
        (changed(where=A_TEST + "_not"), "no such name"),
        (changed(where="tests/architecture/test_nothing.py::test_x"), "no such file"),
        (changed(where="src/oathward/web/frame.py:Frame.no_such"), "no such name"),
        (changed(where="src/oathward/web/frame.py"), "no such file"),
        (changed(where="docs/how-to/sign-in.md#no-such"), "no such section"),
        (changed(where="tests/architecture/test_asvs.py:rows"), ""),
        (changed(where="src/oathward/web/frame.py::Frame"), "a test is written"),
        (changed(where=f"{A_TEST} src/oathward/web/frame.py:Frame._call docs/how-to/sign-in.md#every-day"), ""),
    ],
)  # fmt: skip
def test_each_fault_is_found(table, said):
    found = faults(table)
    assert any(said in one for one in found) if said else found == []
