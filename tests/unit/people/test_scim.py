"""SCIM without HTTP: a person as a User and back, filters, PATCH; every refusal with RFC 7644's scimType."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.people.conftest import ISSUER, NOW

from oathward.core.labels import Role
from oathward.people import scim, scim_words
from oathward.people.actions import with_stated
from oathward.people.model import check, identities_of
from oathward.people.scim import ScimError
from oathward.people.scim_patch import patched
from oathward.people.scim_words import DIRECTORY, GROUP, OURS, PATCH, USER
from oathward.policy.people import Person

BASE = "https://oathward.h.example/api/scim/v2"
ANNA = Person(
    id="p-1",
    name="Anna Berg",
    number="17",
    mail="anna@h.example",
    units=frozenset({"ICU"}),
    sign_ins=frozenset({(DIRECTORY, "Anna@h.example"), (ISSUER, "sub-1")}),
    since_us=NOW,
)


def shown(person: Person = ANNA, *roles: Role) -> dict[str, Any]:
    return scim.user(person, 3, NOW, BASE, roles)


def operations(*some: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(some)}


def after(*some: dict[str, Any], person: Person = ANNA) -> Person:
    values = scim.stated(patched(shown(person), operations(*some)), ISSUER)
    return with_stated(person, values, NOW + 1)


class TestUser:
    """A person as a User."""

    def test_what_a_directory_reads(self) -> None:
        user = shown(ANNA, Role.CLINICIAN)
        assert (user["userName"], user["externalId"], user["active"]) == ("Anna@h.example", "17", True)
        assert user["emails"] == [{"value": "anna@h.example", "type": "work", "primary": True}]
        assert user[OURS]["signIns"] == [{"issuer": ISSUER, "subject": "sub-1"}]
        assert [group["value"] for group in user["groups"]] == ["clinician"]
        assert user["meta"]["version"] == 'W/"3"'
        assert user["meta"]["location"] == f"{BASE}/Users/p-1"

    def test_what_is_read_says_the_same_when_it_comes_back(self) -> None:
        assert with_stated(ANNA, scim.stated(shown(), ISSUER), NOW) == ANNA

    @given(
        number=st.from_regex(r"[A-Z0-9]{1,10}", fullmatch=True),
        mail=st.sampled_from(["", "x@h.example"]),
        units=st.frozensets(st.sampled_from(["ICU", "Ward 3"])),
        login=st.sampled_from(["", "Anna@h.example", "anna"]),
        state=st.sampled_from(["active", "left"]),
    )
    def test_no_round_trip_changes_more_than_the_directorys_own_name(
        self, number: str, mail: str, units: frozenset[str], login: str, state: Any
    ) -> None:
        pairs = frozenset({(DIRECTORY, login)} if login else set())
        person = Person(
            id="x", name="X", number=number, mail=mail, units=units, sign_ins=pairs, state=state, since_us=NOW
        )
        again = with_stated(person, scim.stated(shown(person), ISSUER), NOW)
        kept = dataclasses.replace(again, sign_ins=pairs) if not login else again
        if not mail and "@" in scim.user_name(person):
            kept = dataclasses.replace(kept, mail="")
        assert kept == person

    def test_a_user_without_our_extension_says_nothing_about_it(self) -> None:
        values = scim.stated({"schemas": [USER], "userName": "anna", "displayName": "Anna"}, ISSUER)
        assert with_stated(ANNA, values, NOW).units == {"ICU"}

    def test_the_directorys_name_is_unique_whatever_its_case_and_nobodys_sign_in(self) -> None:
        assert ("provider_subject", f"{DIRECTORY}|anna@h.example") in identities_of(ANNA)
        check(ANNA)
        with pytest.raises(ScimError):
            scim.stated(shown() | {OURS: {"signIns": [{"issuer": DIRECTORY, "subject": "mallory"}]}}, ISSUER)

    @pytest.mark.parametrize("name", ["roles", "groups", "id", "meta"])
    def test_nobody_gets_a_role_or_another_id_by_a_user(self, name: str) -> None:
        user = shown() | {name: [{"value": "administrator"}]}
        assert with_stated(ANNA, scim.stated(user, ISSUER), NOW) == ANNA

    def test_leaving_and_coming_back_begins_anew(self) -> None:
        left = after({"op": "replace", "path": "active", "value": "False"})
        assert left.state == "left"
        back = after({"op": "replace", "value": {"active": True}}, person=left)
        assert (back.state, back.since_us) == ("active", NOW + 1)


class TestFilter:
    """One attribute equals one value."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('userName eq "anna"', ("userName", "anna")),
            ('USERNAME EQ "anna"', ("userName", "anna")),
            (f'{USER}:userName eq "a b"', ("userName", "a b")),
            ('externalId eq "17"', ("externalId", "17")),
            (r'id eq "a\"b\\c"', ("id", r"a\"b\\c".replace('\\"', '"').replace("\\\\", "\\"))),
        ],
    )
    def test_reads(self, text: str, found: tuple[str, str]) -> None:
        assert scim.asked(text) == found

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "userName",
            'userName co "a"',
            'userName eq "a" or userName eq "b"',
            'displayName eq "Anna"',
            "userName eq anna",
            'userName eq "a',
            'password eq "x"',
            'userName eq "' + "x" * 10_000,
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ScimError) as error:
            scim.asked(text)
        assert error.value.kind == "invalidFilter"


class TestPatch:
    """RFC 7644 §3.5.2, and what directories make of it."""

    @pytest.mark.parametrize(
        ("operation", "field", "value"),
        [
            ({"op": "replace", "path": "active", "value": False}, "state", "left"),
            ({"op": "Replace", "path": "Active", "value": "False"}, "state", "left"),
            ({"op": "replace", "value": {"active": False}}, "state", "left"),
            ({"op": "replace", "path": "displayName", "value": "Anna Holm"}, "name", "Anna Holm"),
            ({"op": "replace", "path": "name.formatted", "value": "Anna Holm"}, "name", "Anna Holm"),
            (
                {"op": "replace", "path": "name", "value": {"givenName": "Anna", "familyName": "Holm"}},
                "name",
                "Anna Holm",
            ),
            ({"op": "replace", "path": "name.familyName", "value": "Holm"}, "name", "Anna Berg"),
            (
                {"op": "replace", "path": 'emails[type eq "work"].value', "value": "a@x.example"},
                "mail",
                "a@x.example",
            ),
            ({"op": "replace", "path": "emails", "value": [{"value": "a@x.example"}]}, "mail", "a@x.example"),
            ({"op": "add", "path": "externalId", "value": "18"}, "number", "18"),
            ({"op": "add", "path": f"{OURS}:units", "value": ["Ward 3"]}, "units", {"ICU", "Ward 3"}),
            ({"op": "add", "path": f"{OURS}:units", "value": "Ward 3"}, "units", {"ICU", "Ward 3"}),
            ({"op": "replace", "path": f"{OURS}:units", "value": ["Ward 3"]}, "units", {"Ward 3"}),
            ({"op": "remove", "path": f'{OURS}:units[value eq "ICU"]'}, "units", set()),
            ({"op": "remove", "path": f"{OURS}:units"}, "units", set()),
            ({"op": "replace", "value": {OURS: {"party": "Acme"}}}, "party", "Acme"),
            ({"op": "replace", "path": "title", "value": "Nurse"}, "name", "Anna Berg"),
            ({"op": "add", "value": {"phoneNumbers": [{"value": "1"}]}}, "name", "Anna Berg"),
        ],
    )
    def test_changes_one_thing(self, operation: dict[str, Any], field: str, value: object) -> None:
        changed = after(operation)
        assert getattr(changed, field) == value
        assert dataclasses.replace(changed, **{field: getattr(ANNA, field)}) == ANNA

    def test_the_name_of_the_directory_changes_and_the_sign_in_stays(self) -> None:
        changed = after({"op": "replace", "path": "userName", "value": "anna.holm@h.example"})
        assert changed.sign_ins == {(DIRECTORY, "anna.holm@h.example"), (ISSUER, "sub-1")}

    def test_several_in_order_and_a_work_address_that_was_not_there(self) -> None:
        bare = dataclasses.replace(ANNA, mail="", sign_ins=frozenset({(DIRECTORY, "anna")}))
        add = {"op": "add", "path": 'emails[type eq "work"].value', "value": "a@x.example"}
        assert after(add, {"op": "remove", "path": "externalId"}, person=bare).mail == "a@x.example"

    @pytest.mark.parametrize(
        ("operation", "kind"),
        [
            ({"op": "replace", "path": "roles", "value": [{"value": "administrator"}]}, "mutability"),
            ({"op": "add", "path": "groups", "value": [{"value": "administrator"}]}, "mutability"),
            ({"op": "add", "value": {"groups": [{"value": "administrator"}]}}, "mutability"),
            ({"op": "replace", "path": "id", "value": "p-2"}, "mutability"),
            ({"op": "replace", "path": "meta.version", "value": "x"}, "mutability"),
            ({"op": "remove", "path": "userName"}, "mutability"),
            ({"op": "remove"}, "noTarget"),
            ({"op": "replace", "path": "name", "value": "Anna Holm"}, "invalidValue"),
            ({"op": "replace", "value": {"name": [None], "name.givenName": "Anna"}}, "invalidValue"),
            ({"op": "remove", "path": f'{OURS}:units[value eq "Ward 9"]'}, "noTarget"),
            ({"op": "replace", "path": 'emails[type eq "home"].value', "value": "x"}, "noTarget"),
            ({"op": "replace", "path": "salary", "value": 1}, "invalidPath"),
            ({"op": "replace", "path": "active[", "value": 1}, "invalidPath"),
            ({"op": "replace", "path": 'active[value eq "x"]', "value": 1}, "invalidPath"),
            ({"op": "replace", "path": f"{OURS}:roles", "value": ["administrator"]}, "invalidPath"),
            ({"op": "replace", "path": "urn:other:1.0:X:active", "value": False}, "invalidPath"),
            ({"op": "replace", "path": 7, "value": 1}, "invalidPath"),
            ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
            ({"op": "replace", "path": "active"}, "invalidValue"),
            ({"op": "replace", "value": "x"}, "invalidValue"),
            ({"op": "replace", "path": f"{OURS}:units", "value": [7]}, "invalidValue"),
            ({"op": "replace", "path": "emails", "value": "x"}, "invalidValue"),
            ({"op": "move", "path": "active", "value": True}, "invalidSyntax"),
            ({}, "invalidSyntax"),
            ("x", "invalidSyntax"),
        ],
    )
    def test_what_cannot_be_is_refused_with_its_type(self, operation: Any, kind: str) -> None:
        with pytest.raises(ScimError) as error:
            after(operation)
        assert error.value.kind == kind

    @pytest.mark.parametrize(
        "request_",
        [
            {},
            [],
            {"Operations": [{"op": "remove", "path": "title"}]},
            operations(),
            {"schemas": [PATCH], "Operations": [{"op": "remove", "path": "title"}] * 101},
            {"schemas": [PATCH], "Operations": {}},
            {"schemas": 5, "Operations": [{"op": "remove", "path": "title"}]},
        ],
    )
    def test_a_request_of_another_form_is_refused(self, request_: Any) -> None:
        with pytest.raises(ScimError) as error:
            patched(shown(), request_)
        assert error.value.kind == "invalidSyntax"

    def test_the_user_that_was_there_is_not_touched(self) -> None:
        user = shown()
        before = str(user)
        patched(user, operations({"op": "add", "path": f"{OURS}:units", "value": ["Ward 3"]}))
        assert str(user) == before

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["op", "path", "value", "active", "emails", OURS]), inner, max_size=3
                )
            ),
            max_leaves=12,
        )
    )
    def test_whatever_comes_is_a_person_or_a_refusal(self, value: Any) -> None:
        try:
            told = after(value).id
        except ScimError as error:
            told = error.kind
        assert told


def test_groups_are_roles_to_be_read() -> None:
    found = scim.group(Role.CLINICIAN, [ANNA], BASE)
    assert (found["schemas"], found["displayName"]) == ([GROUP], "clinician")
    assert found["members"] == [{"value": "p-1", "display": "Anna Berg", "$ref": f"{BASE}/Users/p-1"}]
    (group,) = [one for one in scim_words.schemas(BASE) if one["id"] == GROUP]
    assert {one["mutability"] for one in group["attributes"]} == {"readOnly"}


def test_attributes_are_chosen_and_id_always_stands() -> None:
    assert set(scim.chosen(shown(), "userName", "")) == {"schemas", "id", "userName"}
    assert "groups" not in scim.chosen(shown(), "", "groups, id")
    assert "id" in scim.chosen(shown(), "", "groups, id")
