"""One authority has one name where the site says so, and nowhere else."""

import pytest

from oathward.core.authorities import Authorities, Named
from oathward.core.errors import SettingsError

TABLE = Authorities({"HOSP": ["Hospital", "1.2.3", "&hospital.example&DNS"], "2.16.840.1": ["GOV"]})


@pytest.mark.parametrize(
    "hd",
    [
        ("HOSP",),
        ("hosp",),
        ("HOSPITAL",),
        ("", "1.2.3", "ISO"),
        ("", "1.2.3", "iso"),
        ("", "1.2.3", ""),
        ("", "urn:oid:1.2.3", "URI"),
        ("1.2.3",),
        ("1.2.3", "ISO"),
        ("HOSP", "1.2.3", "ISO"),
        ("Hospital", "URN:OID:1.2.3", "ISO"),
        ('""', "1.2.3", "ISO"),
        ("HOSP", '""', ""),
        ("", "Hospital.Example", "DNS"),
    ],
)
def test_each_declared_spelling_is_one_authority(hd):
    assert TABLE.named(*hd) == Named("HOSP")


def test_the_sites_name_may_be_the_universal_id():
    assert (
        TABLE.named("gov") == TABLE.named("", "2.16.840.1", "ISO") == TABLE.named("GOV", "2.16.840.1", "ISO")
    )


@pytest.mark.parametrize(
    ("hd", "authority"),
    [
        (("LAB", "9.9.9", "ISO"), "ISO:9.9.9"),
        (("HOSP", "9.9.9", "ISO"), "ISO:9.9.9"),
        (("LAB", "1.2.3", "ISO"), "HOSP"),
        (("GOV", "1.2.3", "ISO"), "HOSP"),
    ],
)
def test_two_names_not_declared_the_same_are_told_of_and_the_universal_id_decides(hd, authority):
    assert TABLE.named(*hd) == Named(authority, apart=True)


def test_undeclared_names_stand_as_they_are():
    assert TABLE.named("LAB") != TABLE.named("lab")
    assert TABLE.named("LAB").authority == "LAB"
    assert TABLE.named("", "2.9.9", "ISO") == TABLE.named("", "urn:oid:2.9.9", "URI") == Named("ISO:2.9.9")
    assert TABLE.named("", "A1B2", "GUID") == TABLE.named("", "urn:uuid:a1b2", "URI") == Named("UUID:a1b2")


@pytest.mark.parametrize("hd", [("",), ("", "", ""), ('""',), ("", '""', "ISO"), ("", "", "ISO")])
def test_none_stays_none(hd):
    assert TABLE.named(*hd) == Named("")
    assert TABLE.written("") == TABLE.written("&&") == ""


def test_a_namespace_cannot_pass_for_a_universal_id():
    assert TABLE.named("ISO:1.2.3").authority not in {"HOSP", "ISO:1.2.3"}
    assert Authorities().named("ISO:1.2.3") != Authorities().named("", "1.2.3", "ISO")


def test_without_a_table_nothing_is_the_same():
    none = Authorities()
    assert not none
    assert none.named("HOSP").authority != none.named("", "1.2.3", "ISO").authority
    assert none.named("HOSP", "1.2.3", "ISO").apart


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"A": ["1.2.3"], "B": ["1.2.3"]}, "B"),
        ({"A": ["1.2.3"], "B": ["urn:oid:1.2.3"]}, "B"),
        ({"A": ["x"], "B": ["X"]}, "B"),
        ({"A": ["B"], "B": []}, "B"),
        ({"A": [], "B": ["a"]}, "B"),
        ({"A": [], "a": []}, "a"),
        ({"A": ["C&1.2.3&ISO"], "C": []}, "C"),
        ({"": ["1.2.3"]}, ""),
        ({"A": [""]}, "A"),
        ({"A": ['""']}, "A"),
        ({"A": ["1.2.3^ISO"]}, "A"),
        ({"A&1.2.3&ISO": []}, "A&1.2.3&ISO"),
    ],
)
def test_what_cannot_be_meant_names_its_place(table, where):
    with pytest.raises(SettingsError) as error:
        Authorities(table)
    assert error.value.where == where


def test_a_conflict_says_which_name_and_with_whom():
    with pytest.raises(SettingsError, match=r"`1\.2\.3` stands for `A` too"):
        Authorities({"A": ["1.2.3"], "B": ["1.2.3"]})


@pytest.mark.parametrize(
    "uri", ["urn:hosp", "urn:hosp:mrn", "urn:uuid:a1b2", "urn:oid:1.2.3", "https://hosp.example/mrn"]
)
def test_an_identifier_system_is_declared_as_it_stands(uri):
    table = Authorities({"HOSP": [uri]})
    assert table.written_uri(uri) == "HOSP"
    assert table.written_uri(uri.upper().replace("URN:", "urn:")) == "HOSP"
    assert table.written_uri("urn:another") != "HOSP"
