"""`oathward deid` over real files: nothing that the structured part of a file names stands in what is written of it, and it is of use still.

Who looks is ``tests/searched``, which shares nothing with the search that Oathward itself makes of its output. A few of each format under one
profile by default, all of them under every profile with `make test-long`. What a profile leaves on purpose is said in ``GONE``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.corpus import needs_corpus
from tests.identities import identities, words
from tests.released import every, some, written
from tests.remaining import compared, verdict
from tests.searched import Searched, survivors
from tests.site import Site

pytestmark = [pytest.mark.corpus, needs_corpus]

ALWAYS = frozenset(
    ("patient.name", "staff.name", "organisation.name", "contact", "street", "identifier", "logical-id", "uid", "device")
)  # fmt: skip
GONE = {
    "safe-harbor": ALWAYS | {"city", "postcode", "birth-date", "date"},
    # Moved dates are dates, and one of many falls on a day that was another's: only the birth is told apart.
    "research": ALWAYS | {"city", "postcode", "birth-date"},
    "gdpr-pseudonymised": ALWAYS,  # dates, births, towns and postcodes stay
}

COUNTS_LEAST = 0.85
"""Share of results that is left at present; less is a step back, whatever is asked for."""


def left_in(pairs: dict[Path, Path], gone: frozenset[str] | set[str]) -> dict[str, dict[str, int]]:
    """Count by file and class what is left."""
    left: dict[str, dict[str, int]] = {}
    for source, out in pairs.items():
        found, exempt = identities(source)
        stays = set().union(
            *(words(value) for cls, values in found.items() if cls not in gone for value in values)
        )
        counts = survivors(
            {cls: values for cls, values in found.items() if cls in gone}, exempt | stays, Searched(out)
        )
        if counts:
            left[source.name] = dict(counts)
    return left


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site.make(tmp_path_factory.mktemp("site") / "data")


@pytest.fixture(scope="module", params=list(GONE))
def done(request, site, tmp_path_factory):
    """Give a profile, and what was written of a few files under it."""
    return request.param, written(site, some(), tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.turns(3, "done")  # under safe-harbor, of which the most must be gone
def test_nothing_that_a_file_names_is_left(done):
    profile, pairs = done
    assert Counter(path.suffix for path in pairs) >= Counter({".hl7": 20, ".json": 8, ".dcm": 15})
    assert left_in(pairs, GONE[profile]) == {}


@pytest.mark.turns(3, "done")
def test_what_remains_answers_what_it_did(done):
    profile, pairs = done
    found = compared(pairs)
    for question, (same, asked) in found.items():
        print(f"{profile:20} {question:10} {same:g} of {asked:g}  {verdict(profile, question, same, asked)}")
    missed = [question for question, told in found.items() if verdict(profile, question, *told) == "MISSED"]
    same, asked = found["counts"]
    assert same >= COUNTS_LEAST * asked
    # Counts miss their tolerance under two profiles; that is printed, here and by the bench.
    assert set(missed) <= ({"counts"} if profile != "research" else set())
    assert found.keys() >= {"counts", "means", "order", "intervals", "texts", "series", "geometry", "pixels"}


@pytest.mark.long
@pytest.mark.parametrize("profile", list(GONE))
def test_nothing_that_any_file_names_is_left(site, profile, tmp_path):
    pairs = written(site, every(), tmp_path, profile)
    assert len(pairs) > 200
    assert left_in(pairs, GONE[profile]) == {}


# --- reverse


def test_what_was_not_de_identified_is_full_of_them():
    files = {path: path for path in some()}
    left = left_in(files, GONE["safe-harbor"])
    assert len(left) > 0.8 * len(files)
    assert {cls for counts in left.values() for cls in counts} == GONE["safe-harbor"]


def test_what_answers_nothing_is_seen():
    source = next(path for path in some() if path.suffix == ".json" and "synthea" in str(path))
    other = next(path for path in some() if path.suffix == ".dcm")
    missed = {
        question
        for question, told in compared({source: other}).items()
        if verdict("research", question, *told) == "MISSED"
    }
    assert missed >= {"counts", "means", "order", "intervals"}
