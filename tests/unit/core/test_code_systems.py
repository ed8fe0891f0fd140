"""A coding system's name in HL7 v2 and its URI in FHIR: each leads to the other."""

import pytest

from oathward.core import code_systems
from oathward.core.code_systems import canonical, name_of, uri_of


@pytest.mark.parametrize(("name", "uri"), code_systems.URIS.items())
def test_a_name_and_its_uri_lead_to_each_other(name: str, uri: str) -> None:
    assert uri_of(name) == uri
    assert name_of(uri) == name


@pytest.mark.parametrize(("alias", "name"), code_systems.ALIASES.items())
def test_an_alias_is_no_name_of_its_own(alias: str, name: str) -> None:
    assert alias not in code_systems.URIS
    assert uri_of(alias) == code_systems.URIS[name]
    assert canonical(alias) == canonical(alias.lower()) == name


@pytest.mark.parametrize(("oid", "name"), code_systems.OIDS.items())
def test_an_oid_names_the_same_system_in_both_forms(oid: str, name: str) -> None:
    assert uri_of(oid) == code_systems.URIS[name]
    assert name_of(f"urn:oid:{oid}") == name


@pytest.mark.parametrize("table", ["0001", "0078", "0396"])
def test_the_tables_of_hl7_are_computed(table: str) -> None:
    uri = f"http://terminology.hl7.org/CodeSystem/v2-{table}"
    assert uri_of(f"HL7{table}") == uri_of(f"hl7-{table}") == uri
    assert name_of(uri) == f"HL7{table}"
    assert name_of(f"urn:oid:2.16.840.1.113883.12.{int(table)}") == f"HL7{table}"


@pytest.mark.parametrize("name", ["", "L", "99LAB", "HL712345", "HL7000", "1.2.3"])
def test_what_nobody_declared_has_no_other_name(name: str) -> None:
    assert uri_of(name) == ""
    assert canonical(name) == name


@pytest.mark.parametrize("uri", ["", "LN", "http://example.org/codes", code_systems.HL7_TABLES + "12345"])
def test_a_uri_nobody_declared_has_no_name(uri: str) -> None:
    assert name_of(uri) == ""


def test_one_uri_is_one_system() -> None:
    assert len(set(code_systems.URIS.values())) == len(code_systems.URIS)
