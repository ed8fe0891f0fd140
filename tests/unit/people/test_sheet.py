"""A list of people is read whole, and every mistake is told at once with its line and column."""

from __future__ import annotations

import orjson
import pytest
from tests.unit.people.conftest import ISSUER

from oathward.people.scim_words import OURS, USER
from oathward.people.sheet import Sheet, parse, parse_scim

HEADER = "number,name,mail,state,party,makes,units,staff_ids,provider_subject\n"
ANNA = "17,Anna Berg,anna@hospital.example,active,,,ICU;ICU-2,HOSP|4711,sub-1\n"


def read(text: str, issuer: str = ISSUER) -> Sheet:
    return parse(text.encode(), issuer)


def test_every_column_of_a_row_is_read() -> None:
    (row,) = read(HEADER + ANNA).rows
    assert (row.line, row.number) == (2, "17")
    assert row.values == {
        "number": "17",
        "name": "Anna Berg",
        "mail": "anna@hospital.example",
        "state": "active",
        "party": "",
        "makes": frozenset(),
        "units": frozenset(("ICU", "ICU-2")),
        "staff_ids": frozenset(("HOSP|4711",)),
        "sign_ins": frozenset(((ISSUER, "sub-1"),)),
    }


@pytest.mark.parametrize("mark", ["", "\N{ZERO WIDTH NO-BREAK SPACE}"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_byte_order_mark_and_other_delimiters_are_read(mark: str, between: str) -> None:
    text = f"{mark}Number{between}Full name{between}E-Mail\r\n17{between}Åsa Ö{between}a@b.example\r\n"
    (row,) = read(text).rows
    assert row.values == {"number": "17", "name": "Åsa Ö", "mail": "a@b.example"}


def test_what_has_no_column_is_not_said_and_an_empty_state_says_nothing() -> None:
    (row,) = read("number,state,units\n17,,\n").rows
    assert row.values == {"number": "17", "units": frozenset()}


def test_a_subject_may_name_its_issuer() -> None:
    (row,) = read("number,provider_subject\n17,https://other.example|auth0|5;sub-1\n").rows
    assert row.values["sign_ins"] == {("https://other.example", "auth0|5"), (ISSUER, "sub-1")}


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("name\nAnna\n", 1, "number", "needs this column"),
        ("number,salary\n17,1\n", 1, "salary", "unknown column"),
        ("number,mail,e-mail\n17,,\n", 1, "mail", "twice"),
        ("number,name\n17,Anna,x\n", 2, "", "cells"),
        ("number,name\n,Anna\n", 2, "number", "must not be empty"),
        ("number,name\n1;7,Anna\n", 2, "number", "no ;"),
        ("number,name\n17,\n", 2, "name", "call them"),
        ("number,mail\n17,anna\n", 2, "mail", "one address"),
        ("number,mail\n17,anna@x.example bert@x.example\n", 2, "mail", "one address"),
        ("number,state\n17,gone\n", 2, "state", "active or left"),
        ("number,staff_ids\n17,4711\n", 2, "staff_ids", "authority|value"),
        ("number,makes\n17,Acme|Vista|3\n", 2, "makes", "Acme"),
        ("number,name\n17,Anna\x07\n", 2, "name", "characters"),
        (f"number,party\n17,{'x' * 201}\n", 2, "party", "printable text"),
        ("number,name\n17,A\n18,B\n17,C\n", 4, "number", "stands in line 2 already"),
        ("number,name\nA7,A\na7,B\n", 3, "number", "stands in line 2 already"),
        ('number,name\n17,"Anna\n', 2, "", "not CSV"),
        ("number,name\n17,A\0\n", 0, "", "NUL"),
    ],
)
def test_a_mistake_is_told_by_line_and_column(text: str, line: int, column: str, why: str) -> None:
    (error,) = read(text).errors
    assert (error.line, error.column) == (line, column)
    assert why in error.why


def test_a_subject_without_an_issuer_needs_a_provider() -> None:
    (error,) = read("number,provider_subject\n17,sub-1\n", issuer="").errors
    assert (error.line, error.column) == (2, "provider_subject")


def test_all_mistakes_of_all_rows_are_told_at_once_and_never_a_value() -> None:
    found = read("number,name,mail,state\n17,Anna,secretword,secretword\n18,,x@y,\n19,Carl,,active\n")
    assert [(e.line, e.column) for e in found.errors] == [(2, "mail"), (2, "state"), (3, "name")]
    assert not any("secretword" in e.why for e in found.errors)


@pytest.mark.parametrize("data", ["number,name\n17,Åsa\n".encode("latin-1"), b"\xff\xfen\0"])
def test_another_character_set_is_refused(data: bytes) -> None:
    (error,) = parse(data).errors
    assert (error.line, error.column, error.why) == (0, "", "must be UTF-8")


class TestScim:
    """The same from a JSON list of SCIM users."""

    def test_users_are_rows_by_their_place(self) -> None:
        users = [
            {"schemas": [USER], "userName": "anna@h.example", "externalId": "17", "displayName": "Anna"},
            {
                "schemas": [USER, OURS],
                "userName": "bert",
                "name": {"givenName": "Bert", "familyName": "Olsen"},
                "active": "False",
                OURS: {"units": ["ICU"], "signIns": [{"subject": "sub-2"}]},
            },
        ]
        one, two = parse_scim(orjson.dumps(users), ISSUER).rows
        assert (one.line, one.number, one.values["name"], one.values["mail"]) == (
            1,
            "17",
            "Anna",
            "anna@h.example",
        )
        assert (two.number, two.values["name"], two.values["state"]) == ("bert", "Bert Olsen", "left")
        assert two.values["units"] == {"ICU"}
        assert two.values["sign_ins"] == {(ISSUER, "sub-2")}
        assert "units" not in one.values

    def test_a_list_response_is_a_list(self) -> None:
        data = orjson.dumps({"Resources": [{"schemas": [USER], "userName": "a", "displayName": "A"}]})
        assert [row.number for row in parse_scim(data).rows] == ["a"]

    @pytest.mark.parametrize(
        ("user", "column"),
        [
            ("x", ""),
            ({"userName": "a"}, "schemas"),
            ({"schemas": [USER]}, "userName"),
            ({"schemas": [USER], "userName": 7}, "userName"),
            ({"schemas": [USER], "userName": "a", "active": "yes"}, "active"),
            ({"schemas": [USER], "userName": "a", "emails": ["x"]}, "emails"),
            ({"schemas": [USER], "userName": "a", "emails": [{"value": "no address"}]}, "mail"),
            ({"schemas": [USER], "userName": "a", "name": "A"}, "name"),
            ({"schemas": [USER], "userName": "a", OURS: {"units": "ICU"}}, "units"),
        ],
    )
    def test_a_mistake_is_told_by_place_and_attribute(self, user: object, column: str) -> None:
        (error,) = parse_scim(orjson.dumps([{"schemas": [USER], "userName": "ok"}, user])).errors
        assert (error.line, error.column) == (2, column)

    @pytest.mark.parametrize("data", [b"{", b"7", b'{"a":1}'])
    def test_what_is_no_list_is_refused(self, data: bytes) -> None:
        assert [e.line for e in parse_scim(data).errors] == [0]
