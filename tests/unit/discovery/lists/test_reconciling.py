"""A list against what is known: new, same, different with both values and sources, unclear, twice, gone."""

from oathward.core.reasons import Reason
from oathward.discovery.lists import reconciling
from oathward.discovery.lists.reading import Refused, Told
from oathward.discovery.lists.reconciling import Known, Reconciler, Said
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import disputing

TAG = MarkKind.TAG


def row(line: int, tag: str, *facts: tuple[str, str], marks: tuple[Mark, ...] = ()) -> Told:
    said = (Fact(name, value, 1.0) for name, value in facts)
    return Told("l.csv", line, Statement(1, "cmms", "main", (Mark(TAG, tag), *marks), tuple(said)))


KNOWN = Known(
    having={
        Mark(TAG, "1"): frozenset({"e1"}),
        Mark(TAG, "2"): frozenset({"e2"}),
        Mark(MarkKind.MAC, "00:1b:c5:00:0a:1f"): frozenset({"e1", "e4"}),
    },
    said={
        "e1": {"location": [Said("West  3", "cmms")], "owner": [Said("IT", "person")]},
        "e2": {"location": [Said("East", "cmms"), Said("north", "netbox")]},
    },
)


def report_of(*rows: Told, before: dict[str, str] | None = None):
    reconciler = Reconciler(disputing.are_two, disputing.parts_of)
    reconciler.compare(rows, KNOWN)
    return reconciler.end(before or {})


def test_each_row_is_new_same_or_different_with_both_values_and_sources():
    report = report_of(row(2, "1", ("location", "west 3")), row(3, "2", ("location", "North")), row(4, "9"))
    assert dict(report.counts) == {"rows": 3, "same": 1, "differs": 1, "new": 1}
    [found] = report.differences
    assert (found.line, found.endpoint, found.attribute, found.value) == (3, "e2", "location", "North")
    assert found.others == (Said("East", "cmms"),)
    assert [(one.line, one.mark) for one in report.new] == [(4, "tag")]
    assert dict(report.differing) == {"location": 1}


def test_what_nobody_said_yet_is_no_difference():
    assert report_of(row(2, "1", ("unit", "ICU"))).counts["same"] == 1


def test_the_surest_mark_says_whose_a_row_is_and_of_several_nobody_is_guessed():
    card = Mark(MarkKind.MAC, "00:1b:c5:00:0a:1f")
    report = report_of(row(2, "2", marks=(card,)), row(3, "9", marks=(card,)))
    assert (report.counts["same"], report.counts["unclear"]) == (1, 1)
    assert [(one.line, one.mark) for one in report.unclear] == [(3, "mac")]


def test_what_stands_twice_and_what_is_gone_is_told():
    report = report_of(row(2, "1"), row(5, "1"), before={"e1": "1", "e7": "77"})
    assert [(one.line, one.mark, one.first) for one in report.duplicates] == [(5, "tag", ("l.csv", 2))]
    assert [(one.endpoint, one.tag) for one in report.gone] == [("e7", "77")]


def test_a_number_on_two_rows_of_other_serials_is_in_dispute_and_a_serial_says_whose_row_it_is():
    one, other = Mark(MarkKind.SERIAL, "acme|s1"), Mark(MarkKind.SERIAL, "acme|s2")
    rows = [row(2, "1", marks=(one,)), row(3, "1", marks=(Mark(MarkKind.SERIAL, "acme inc|s1"),))]
    assert "disputed" not in report_of(*rows).counts
    report = report_of(*rows, row(4, "1", ("serial", "s3")), row(5, "1"))
    assert report.counts["disputed"] == 1
    assert [one.line for one in report.duplicates if one.disputed] == [4]
    both = Known({Mark(TAG, "1"): frozenset({"e1", "e2"}), other: frozenset({"e2"})}, {})
    reconciler = Reconciler(disputing.are_two, disputing.parts_of)
    reconciler.compare([row(2, "1", marks=(other,)), row(3, "1")], both)
    assert (reconciler.report.counts["same"], reconciler.report.counts["unclear"]) == (1, 1)


def test_a_row_that_stands_twice_with_several_marks_is_told_once():
    marks = (Mark(MarkKind.SERIAL, "acme|1"), Mark(MarkKind.MAC, "00:1b:c5:00:0a:20"))
    report = report_of(row(2, "8", marks=marks), row(3, "8", marks=marks), row(4, "7", marks=marks[:1]))
    told = [(one.line, one.mark, one.first[1]) for one in report.duplicates]
    assert (told, report.counts["duplicates"]) == ([(3, "tag, serial, mac", 2), (4, "serial", 2)], 2)


def test_counts_are_of_everything_and_details_are_bounded(monkeypatch):
    monkeypatch.setattr(reconciling, "DETAILS_MAX", 3)
    monkeypatch.setattr(reconciling, "MARKS_MAX", 5)
    reconciler = Reconciler(disputing.are_two, disputing.parts_of)
    reconciler.compare([row(n, f"x{n}") for n in range(10)], KNOWN)
    for n in range(10):
        reconciler.refuse(Refused("l.csv", n, "MAC", Reason.VALUE_INVALID, "a card"))
    report = reconciler.end({})
    assert (report.counts["new"], len(report.new), report.whole) == (10, 3, False)
    assert (report.counts["refused"], len(report.refused)) == (10, 3)
    assert report.refusals["MAC", "message.value-invalid", "a card"] == 10
