"""Who is two patients because two names of one authority were not declared the same is counted; no name is told."""

from oathward.core.authorities import Authorities
from oathward.core.phi import Phi
from oathward.deidentifying.apart import Apart, words_of
from oathward.patients.identifiers import Identifier

SYSTEM = "http://hospital.example/mrn"


def number(value, authority, *, local=False):
    return Identifier(Phi(value), authority, "MR", local=local)


def counted(table, *given, default="HOSP"):
    authorities = Authorities(table)
    apart = Apart(bytes(32), authorities, default)
    for subject, value, system in given:
        authority = authorities.written_uri(system) if "://" in system else authorities.written(system)
        apart.take(subject, [number(value, authority)])
    return apart.counts()


BOTH = [("s1", "771", "HOSP"), ("s2", "771", SYSTEM), ("s3", "772", "HOSP"), ("s4", "773", SYSTEM)]


def test_a_number_under_a_system_nobody_declared_and_under_another_is_told():
    told = counted({}, *BOTH)
    assert told == {"undeclared": 1, "systems": 1, "patients": 1}
    said = words_of(told)
    assert said.startswith("1 patient has a number under a FHIR system that the settings do not declare")
    assert "[patients.authorities]" in said
    assert SYSTEM not in said


def test_what_was_declared_is_one_and_nothing_is_told():
    same = [(subject.replace("s2", "s1"), value, system) for subject, value, system in BOTH]
    told = counted({"HOSP": [SYSTEM]}, *same)
    assert told == {"undeclared": 0, "systems": 0, "patients": 0}
    assert words_of(told) == ""


def test_numbers_of_one_patient_and_numbers_that_stand_once_are_nothing_to_tell():
    assert counted({}, ("s1", "771", "HOSP"), ("s1", "771", SYSTEM))["patients"] == 0
    assert counted({}, ("s1", "771", "HOSP"), ("s2", "772", SYSTEM))["patients"] == 0


def test_without_a_name_for_the_rest_both_are_undeclared():
    told = counted({}, *BOTH, default="")
    assert told == {"undeclared": 2, "systems": 1, "patients": 2}
    assert words_of(told).startswith("2 patients have a number under 2 authorities")


def test_numbers_that_mean_something_in_the_folder_alone_are_not_compared():
    apart = Apart(bytes(32), Authorities({}))
    apart.take("s1", [number("771", "files", local=True)])
    apart.take("s2", [number("771", "URI:x")])
    assert apart.counts()["patients"] == 0
