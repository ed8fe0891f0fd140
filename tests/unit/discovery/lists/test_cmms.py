"""A CMMS' export in any dialect becomes statements; what cannot be read is told by line, column and reason."""

import gzip
import io
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists import cmms, vendor
from oathward.discovery.lists.lines import LINE_BYTES_MAX, Lines
from oathward.discovery.lists.mapping import Column, ColumnMap
from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.proposing import propose
from oathward.discovery.lists.reading import How, Refused, Told
from oathward.discovery.model import Fact, Mark, MarkKind

AT_US = 1_780_000_000_000_000  # in May 2026
NAMES = (("Asset No", "tag"), ("Serial", "serial"), ("Maker", "make"), ("MAC", "mac"), ("Room", "location"))
COLUMNS = ColumnMap("cmms", tuple(Column(*one) for one in NAMES))
HEADER = "Asset No,Serial,Maker,MAC,Room\n"


def read(data: bytes, columns=COLUMNS, reader=cmms.read, name="list.csv"):
    how = How(realm="main", at_us=AT_US, columns=columns)
    return list(reader(sources(name, io.BytesIO(data)), how))


def tags(found) -> list[str]:
    return [one.what.marks[0].value for one in found if isinstance(one, Told)]


def refused(found) -> list[tuple]:
    return [(one.line, one.column, one.reason) for one in found if isinstance(one, Refused)]


def test_a_row_is_what_the_site_says_of_one_device():
    [told] = read(f"{HEADER}4711,SN-1,Acme,00-1B-C5-00-0A-1F;001bc5000a20,West 3\n".encode())
    assert (told.file, told.line) == ("list.csv", 2)
    said = told.what
    assert (said.source, said.realm, said.at_us) == ("cmms", "main", AT_US)
    assert set(said.marks) == {
        Mark(MarkKind.TAG, "4711"),
        Mark(MarkKind.MAC, "00:1b:c5:00:0a:1f"),
        Mark(MarkKind.MAC, "00:1b:c5:00:0a:20"),
        Mark(MarkKind.SERIAL, "acme|sn-1"),
    }
    assert Fact("location", "West 3", 1.0) in said.facts


TEXT = "Asset No;Serial;Maker;MAC;Room\n1;Ü1;Müller;;Süd 3\n2;A2;Acme;;Ost\n"
DIALECTS = {
    "utf-8": TEXT.encode(),
    "bom": TEXT.encode("utf-8-sig"),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16-le": TEXT.encode("utf-16-le"),
    "utf-16-be": TEXT.encode("utf-16-be"),
    "windows": TEXT.encode("cp1252"),
    "tab": TEXT.replace(";", "\t").encode(),
    "comma": TEXT.replace(";", ",").encode(),
    "bar": TEXT.replace(";", "|").encode(),
    "crlf": TEXT.replace("\n", "\r\n").encode(),
    "cr": TEXT.replace("\n", "\r").encode(),
    "sep": ("sep=;\n" + TEXT).encode(),
    "header in line 4": ("Equipment list of the house\nprinted 4 May; all units\n\n" + TEXT).encode(),
    "gzip": gzip.compress(TEXT.encode()),
}


@pytest.mark.parametrize("data", DIALECTS.values(), ids=DIALECTS)
def test_any_dialect_encoding_and_place_of_the_header(data):
    found = read(data)
    assert refused(found) == []
    assert tags(found) == ["1", "2"]
    assert Fact("location", "Süd 3", 1.0) in found[0].what.facts


def test_a_bad_cell_is_refused_and_the_rest_of_its_row_is_read():
    found = read(f"{HEADER}1,,,10.0.0.5,\n2,,,,\n,,Acme,,West\n".encode())
    assert refused(found) == [(2, "MAC", Reason.VALUE_INVALID), (4, "", Reason.ELEMENT_MISSING)]
    assert tags(found) == ["1", "2"]
    assert all("10.0.0.5" not in one.why for one in found if isinstance(one, Refused))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2,a,b,c\n", Reason.OBSERVED_COLUMNS),  # shorter: cells may have moved
        (b"2,a,b,,d,e\n", Reason.OBSERVED_COLUMNS),
        (b"2,\0,b,,d\n", Reason.VALUE_INVALID),
        (b"2,\xff\xfe,b,,d\n", Reason.CHARSET_BROKEN),
        (b'2,"a"b,b,,d\n', Reason.OBSERVED_COLUMNS),
        (b"2," + b"x" * 200_000 + b",b,,d\n", Reason.LIMIT_EXCEEDED),
        (b'2,"' + b"x" * 1_500_000 + b'",b,,d\n', Reason.LIMIT_EXCEEDED),
        (b"2,a,b,," + b"x" * 5_000 + b"\n", Reason.LIMIT_EXCEEDED),
    ],
    ids=["short", "long", "nul", "mixed-encoding", "quote", "huge-cell", "huge-quoted-line", "long-cell"],
)
def test_what_is_no_row_is_refused_by_its_line_and_those_around_it_are_read(line, reason):
    found = read("Asset No,Serial,Maker,MAC,Room\n1,,,,Süd\n".encode() + line + b"3,,,,\n")
    assert [one[2] for one in refused(found)] == [reason]
    assert refused(found)[0][0] == 3
    assert set(tags(found)) - {"2"} == {"1", "3"}


def test_an_open_quotation_mark_says_which_lines_were_not_read():
    found = read(HEADER.encode() + b'1,,,,\n2,"open,,,\n3,,,,\n')
    assert tags(found) == ["1"]
    assert refused(found) == [(3, "", Reason.OBSERVED_COLUMNS)]
    assert "lines 3 to 4" in found[-1].why


def test_repeated_headers_are_refused_unless_named_by_number():
    data = b"Asset No,Serial,Serial\n1,A,B\n"
    [found] = read(data, ColumnMap("cmms", (Column("Asset No", "tag"), Column("Serial", "serial"))))
    assert (found.reason, found.column) == (Reason.OBSERVED_COLUMNS, "column Serial")
    [found] = read(data, ColumnMap("cmms", (Column("Asset No", "tag"), Column("#3", "serial"))))
    assert Fact("serial", "B", 1.0) in found.what.facts
    [found] = read(data, ColumnMap("cmms", (Column("Asset", "tag"),)))
    assert found.column == "column Asset"


ROWS = HEADER.encode() + b"1,,,,\n" * 6_000_000


def packed(*files: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def ends_with(data: bytes, reason: Reason) -> None:
    how = How(realm="main", at_us=AT_US, columns=COLUMNS)
    *_, last = cmms.read(sources("b.csv.gz", io.BytesIO(data)), how)
    assert isinstance(last, Refused)
    assert last.reason is reason


def test_bombs_and_files_that_are_cut_off_are_refused(monkeypatch):
    monkeypatch.setattr("oathward.discovery.lists.opening.EXPANDED_FREE_BYTES", 100_000)
    ends_with(gzip.compress(ROWS[:1_000_000]), Reason.LIMIT_EXCEEDED)
    whole = gzip.compress((HEADER + "1,,,,\n").encode())
    ends_with(whole[:-12], Reason.TRUNCATED)
    ends_with(whole[:20] + b"\0\0\0" + whole[23:], Reason.MESSAGE_UNDECODABLE)


def test_what_compresses_well_is_no_bomb():
    assert len(read(gzip.compress(ROWS[:600_000]))) > 90_000


def test_each_file_of_a_zip_is_a_list(monkeypatch):
    monkeypatch.setattr("oathward.discovery.lists.opening.EXPANDED_FREE_BYTES", 100_000)
    two = ("two.csv", (HEADER + "2,,,,\n").encode())
    found = read(packed(("a/../one.csv", (HEADER + "1,,,,\n").encode()), two))
    assert [(one.file, one.line) for one in found] == [("one.csv", 2), ("two.csv", 2)]
    last = read(packed(("bomb.csv", ROWS[:1_000_000]), two))[-2:]
    assert isinstance(last[0], Refused)
    assert last[0].reason is Reason.LIMIT_EXCEEDED
    assert last[1].file == "two.csv"
    ends_with(packed(two)[:-30], Reason.TRUNCATED)
    ends_with(packed(two).replace(b"PK\x01\x02", b"PK\x01\x09"), Reason.MESSAGE_UNDECODABLE)


def test_an_archive_of_too_many_files_is_refused_before_one_is_read(monkeypatch):
    some = [(f"{number}.csv", (HEADER + "1,,,,\n").encode()) for number in range(4)]
    assert len(read(packed(*some))) == 4
    monkeypatch.setattr("oathward.discovery.lists.opening.MEMBERS_MAX", 3)
    ends_with(packed(*some), Reason.LIMIT_EXCEEDED)
    monkeypatch.setattr("oathward.discovery.lists.opening.MEMBERS_MAX", 4)
    monkeypatch.setattr("oathward.discovery.lists.opening.DIRECTORY_BYTES_MAX", 50)
    ends_with(packed(*some), Reason.LIMIT_EXCEEDED)


def test_names_inside_an_archive_are_printable_and_short():
    odd = "one\x1b[2J" + "x" * 200 + ".csv"
    [found] = read(packed((odd, (HEADER + "1,,,,\n").encode())))
    assert found.file.isprintable()
    assert len(found.file) == 100


def test_a_line_without_end_is_cut_and_the_next_is_read():
    [source] = sources("x.csv", io.BytesIO(b"a" * (3 * LINE_BYTES_MAX) + b"\nb\n"))
    lines = Lines(source)
    assert [len(line) for line in lines] == [LINE_BYTES_MAX + 1, 2]
    assert [(one.line, one.reason) for one in lines.faults] == [(1, Reason.LIMIT_EXCEEDED)]


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("at", [0, 60])
def test_what_is_packed_so_that_a_piece_may_be_of_any_size_is_refused_whole_or_broken(how, at):
    data = packed(("one.csv", (HEADER + "1,,,,\n").encode()), how=how)
    ends_with(data[:at] + b"\xff" + data[at + 1 :] if at else data, Reason.FORMAT_UNSUPPORTED)


def test_a_long_list_is_streamed():
    class Endless(io.RawIOBase):
        left = 40_000_000
        first = HEADER.encode()

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            if self.first:
                first, self.first = self.first, b""
                return first
            self.left -= size
            return (b"1,,,,\n" * (size // 6 + 1))[: size - size % 6] if self.left > 0 else b""

    how = How(realm="main", at_us=AT_US, columns=COLUMNS)
    tracemalloc.start()
    found = cmms.read(sources("x.csv", Endless()), how)
    for _ in range(20_000):
        next(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_vendors_list_is_of_accounts_and_never_of_patients():
    columns = ColumnMap(
        "vendor", (Column("Hub", "account"), Column("Last sync", "last-heard")), vendor="Acme"
    )
    data = b"Hub,Patient name,Last sync\nH-7,Ada Example,2026-05-04T07:00:00+02:00\n"
    [told] = read(data, columns, vendor.read)
    assert told.what.marks == (Mark(MarkKind.ACCOUNT, "acme|h-7"),)
    assert told.what.at_us == 1_777_870_800_000_000
    assert "Ada" not in repr(told)
    with pytest.raises(InputError):
        read(b"Hub\nH\n", ColumnMap("vendor", (Column("Hub", "account"),)), vendor.read)


def proposed(data: bytes, list_: str = "cmms"):
    [source] = sources("list.csv", io.BytesIO(data))
    return propose(source, list_=list_)


def test_the_wizard_proposes_by_header_and_by_content():
    data = (
        "Assets of the house\n\n"
        "Inventarnummer;S/N;Hersteller;Netz;Karte;Patient Name;Letzte Wartung;PM due;Status;Code\n"
        "1;A1;Acme;10.0.0.5;00:1b:c5:00:0a:1f;Ada;04.05.2026;05/06/2026;aktiv;(01)00012345678905(21)1\n"
        "2;A2;Acme;10.0.0.6;00:1b:c5:00:0a:20;Bob;31.05.2026;07/08/2026;defekt;(01)00012345678905(21)2\n"
    )
    found = proposed(data.encode())
    assert {one.name: one.attribute for one in found.columns} == {
        "Inventarnummer": "tag",
        "S/N": "serial",
        "Hersteller": "make",
        "Netz": "address",
        "Karte": "mac",
        "Patient Name": "",
        "Letzte Wartung": "last-maintenance",
        "PM due": "next-maintenance",
        "Status": "lifecycle",
        "Code": "udi",
    }
    dates = {one.name: one.date for one in found.columns if one.date}
    assert dates == {"Letzte Wartung": "%d.%m.%Y", "PM due": "?"}
    assert found.undecided == ("PM due",)
    assert (found.shape.header_line, found.shape.delimiter, found.rows) == (3, ";", 2)
    assert all("Ada" not in sample for one in found.columns for sample in one.samples)


def test_a_column_with_several_forms_of_dates_is_read_by_cell():
    dates = (
        "2026-05-04",
        "04.05.2026",
        "31.05.2026",
        "25/04/2026",
        "04/25/2026",
        "04/04/2026",
        "03/04/2026",
        "soon",
    )
    data = "Asset No;Letzte Wartung\n" + "".join(f"{at};{one}\n" for at, one in enumerate(dates, 1))
    found = proposed(data.encode())
    assert [one.date for one in found.columns] == ["", "mixed"]
    read_now = read(data.encode(), found.mapping())
    said = [
        fact.value
        for one in read_now
        if isinstance(one, Told)
        for fact in one.what.facts
        if fact.attribute == "last-maintenance"
    ]
    assert said == ["2026-05-04", "2026-05-04", "2026-05-31", "2026-04-25", "2026-04-25", "2026-04-04"]
    assert refused(read_now) == [(at, "Letzte Wartung", Reason.VALUE_INVALID) for at in (8, 9)]
    assert "day and month" in next(one.why for one in read_now if isinstance(one, Refused))


def test_one_word_means_another_thing_in_another_list():
    data = b"Device ID,Status\n1,active\n"
    assert [proposed(data, list_).columns[0].attribute for list_ in ("cmms", "vendor")] == ["tag", "account"]


def test_the_column_that_names_a_thing_best_has_it():
    def attributes(header: bytes, list_: str = "cmms") -> list[str]:
        return [one.attribute for one in proposed(header + b"\n", list_).columns]

    assert attributes(b"Department,Owner,Cost center") == ["unit", "owner", ""]
    assert attributes(b"Department,Tag,Barcode") == ["owner", "tag", ""]
    assert attributes(b"hub,account", "vendor") == ["behind", "account"]
    assert attributes(b"LAN MAC,WLAN MAC,IP,IPv6") == ["mac", "mac", "address", "address"]


def test_a_header_that_its_cells_contradict_is_not_proposed():
    assert [one.attribute for one in proposed(b"Tag,MAC Address\n1,West\n2,East\n").columns] == ["tag", ""]


@given(st.binary(max_size=600) | st.text(alphabet='a1,;"\n\r\t|\0é', max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    try:
        found = read(data)
        list(map(propose, sources("x", io.BytesIO(data))))
    except InputError:
        return
    assert all(isinstance(one, Told | Refused) for one in found)
