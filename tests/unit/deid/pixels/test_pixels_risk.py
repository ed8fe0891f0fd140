"""Which images are at risk: table-driven, and closed to what is not known."""

import dataclasses

import pytest

from oathward.core.errors import InputError
from oathward.deid.pixels.models import MODELS, Made, known, rows_of
from oathward.deid.pixels.regions import outside
from oathward.deid.pixels.risk import Header, signs_of

CT, ENHANCED_MR, RT_DOSE = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4.1", "481.2"))
DX, CR, US, SC = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("1.1", "1", "6.1", "7"))
SLICE = Header(
    sop_class=CT,
    modality="CT",
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    photometric="MONOCHROME2",
    bits_stored=12,
)


@pytest.mark.parametrize(
    "header",
    [
        SLICE,
        dataclasses.replace(SLICE, burned_in="NO"),
        dataclasses.replace(SLICE, sop_class=ENHANCED_MR, modality="MR"),
        Header(sop_class=RT_DOSE, modality="RTDOSE", photometric="MONOCHROME2", bits_stored=32),
        Header(sop_class=DX, modality="DX", burned_in="NO", photometric="MONOCHROME1", bits_stored=14),
    ],
)
def test_what_a_scanner_measured_is_not_at_risk(header: Header):
    assert signs_of(header) == ()


@pytest.mark.parametrize(
    "sign",
    [
        {"burned_in": "YES"},
        {"burned_in": "what no standard says"},
        {"image_type": ("DERIVED", "SECONDARY", "MPR")},
        {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")},
        {"image_type": ("ORIGINAL", "PRIMARY", "SCREEN SAVE")},
        {"image_type": ("DERIVED", "PRIMARY", "Dose_Info")},
        {"modality": "OT"},
        {"conversion_type": "WSD"},
        {"photometric": "RGB"},
        {"photometric": "PALETTE COLOR"},
        {"photometric": "YBR_FULL_422"},
        {"bits_stored": 8},
        {"regions": 1},
        {"overlay_bits": True},
        {"sop_class": SC},
        {"sop_class": US},
        {"sop_class": ""},
        {"sop_class": "1.2.3.4"},
    ],
)
def test_each_sign_is_enough_whatever_else_is_said(sign: dict):
    assert signs_of(dataclasses.replace(SLICE, **({"burned_in": "NO"} | sign)))


@pytest.mark.parametrize("burned_in", ["", "YES"])
@pytest.mark.parametrize("sop_class", [DX, CR])
def test_projection_x_ray_is_at_risk_unless_it_is_denied(sop_class: str, burned_in: str):
    assert signs_of(
        Header(
            sop_class=sop_class, modality="DX", burned_in=burned_in, photometric="MONOCHROME2", bits_stored=12
        )
    )


def covered(boxes, columns, rows):
    return {(x, y) for box in boxes for x in range(box.x0, box.x1) for y in range(box.y0, box.y1)}


@pytest.mark.parametrize(
    "regions",
    [
        [(4, 3, 10, 8)],
        [(0, 0, 5, 9), (3, 4, 12, 6)],
        [(-5, -5, 4, 4), (8, 5, 99, 99)],
        [(2, 2, 4, 4), (6, 2, 8, 4), (0, 7, 12, 9)],
    ],
)
def test_everything_outside_the_regions_is_covered_once_and_nothing_within(regions: list):
    boxes = outside(regions, 12, 9)
    inside = {
        (x, y)
        for x in range(12)
        for y in range(9)
        if any(a <= x < c and b <= y < d for a, b, c, d in regions)
    }
    everything = {(x, y) for x in range(12) for y in range(9)}
    assert covered(boxes, 12, 9) == everything - inside
    assert sum((b.x1 - b.x0) * (b.y1 - b.y0) for b in boxes) == len(everything - inside)


@pytest.mark.parametrize("regions", [[], [(5, 5, 5, 9)], [(20, 20, 30, 30)], [(9, 9, 3, 3)]])
def test_no_region_that_counts_says_nothing(regions: list):
    assert outside(regions, 12, 9) == ()


def test_boxes_of_a_model_are_for_its_size_alone():
    row = MODELS[0]
    made = Made(f" {row.manufacturer.lower()} ", row.model, row.rows, row.columns)
    assert [box[:4] for box in known(made)] == list(row.boxes)
    assert known(made._replace(rows=row.rows + 1)) == ()
    assert all(
        0 <= x0 < x1 <= m.columns and 0 <= y0 < y1 <= m.rows for m in MODELS for x0, y0, x1, y1 in m.boxes
    )


def test_a_site_adds_rows():
    text = "# ours\n\nACME\tScope 2\t*\t100x200\t0,0,200,20 0,90,50,100\tseen on site\n"
    (row,) = rows_of(text, "boxes.tsv")
    boxes = [box[:4] for box in known(Made("acme", "scope 2", 100, 200), (row,))]
    assert boxes == [(0, 0, 200, 20), (0, 90, 50, 100)]


def test_a_row_of_one_software_is_for_no_other():
    rows = rows_of("ACME\tScope\tV2.1\t9x9\t0,0,1,1\tseen\n", "boxes.tsv")
    made = Made("ACME", "Scope", 9, 9)
    assert known(made, rows) == known(made._replace(software=("V2", "V2.10")), rows) == ()
    assert len(known(made._replace(software=("os 4", "v2.1 ")), rows)) == 1


@pytest.mark.parametrize("line", [
    "ACME\tScope\t*\t100x200\t0,0,10,10", "A\tB\t*\tx\t0,0,1,1\ts", "A\tB\t*\t9x9\t0,0,10,9\ts", "A\tB\t*\t9x9\t5,5,5,9\ts",
    "A\tB\t*\t9x9\t1,2,3\ts", "A\tB\t*\t9x9\t \ts", "\tB\t*\t9x9\t0,0,1,1\ts", "\xc4\tB\t*\t9x9\t0,0,1,1\ts",
])  # fmt: skip
def test_a_row_that_is_none_names_its_line(line: str):
    with pytest.raises(InputError) as caught:
        rows_of(f"# ours\n{line}", "boxes.tsv")
    assert caught.value.where == "boxes.tsv:2"
    assert "ACME" not in str(caught.value)
