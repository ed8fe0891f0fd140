"""Tables on a phone, and what else must show in little room: a cut table's shade, the picture of the map, the focus in a date."""

import pytest
from tests.e2e.browser import THEMES, needs_chromium

from oathward.mapping.picture import COLUMN, WIDE
from oathward.web.render import HERE

pytestmark = needs_chromium
PHONE = {"width": 390, "height": 844}
EDGE_PX = 12
PAGE = """<!doctype html><html data-theme="{theme}"><style>{css}</style><main><div class="rows"><table>
<thead><tr><th>&nbsp;</th></tr></thead><tbody><tr><td><div style="width:{width}px;height:200px"></div></td></tr></tbody></table></div>
<form><p class="actions"><button>End</button></p></form></main></html>"""


@pytest.fixture(params=THEMES)
def table(request, chromium):
    """Show a table so wide, and give what its right edge looks like, at its beginning or its end."""
    css = (HERE / "static" / "console.css").read_text()
    page = chromium.new_page(viewport=PHONE)

    def edge(width: int, *, end: bool = False, side: str = "right") -> bytes:
        page.set_content(PAGE.format(theme=request.param, css=css, width=width))
        page.evaluate("end => { document.querySelector('.rows').scrollLeft = end ? 9999 : 0 }", end)
        box = page.locator("tbody").bounding_box() | {"width": 0}
        place = page.locator(".rows").bounding_box()
        left = place["x"] if side == "left" else place["x"] + place["width"] - EDGE_PX
        return page.screenshot(clip={"x": left, "y": box["y"] + 8, "width": EDGE_PX, "height": 100})

    yield edge, page
    page.close()


def test_a_table_that_goes_on_has_a_shade_where_it_is_cut(table):
    edge, _ = table
    plain = edge(100)
    assert edge(900) != plain, "more of it is to the right"
    assert edge(900, end=True) == plain, "nothing more is"
    assert edge(900, end=True, side="left") != edge(900, side="left")


def test_a_button_below_a_table_does_not_touch_its_line(table):
    edge, page = table
    edge(100)
    rows, button = (page.locator(one).bounding_box() for one in (".rows", "button"))
    assert button["y"] - (rows["y"] + rows["height"]) >= 16


def test_a_table_that_folds_shows_every_value_with_its_head_on_a_phone(chromium):
    css = (HERE / "static" / "console.css").read_text()
    cells = "".join(f'<td data-head="Head {n}">{"word" * 9}</td>' for n in range(9))
    page = chromium.new_page(viewport=PHONE)
    page.set_content(
        f"<!doctype html><style>{css}</style><main><div class='rows folding'><table><tbody><tr>{cells}</tr></tbody></table></div></main>"
    )
    rows = page.locator(".rows").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert rows[0] <= rows[1]
    shown = page.locator("td").nth(8)
    assert "Head 8" in shown.evaluate("e => getComputedStyle(e, '::before').content")
    assert shown.bounding_box()["y"] > page.locator("td").first.bounding_box()["y"]
    page.close()


def test_a_picture_of_five_zones_shows_its_last_one_on_a_laptop(chromium):
    css = (HERE / "static" / "console.css").read_text()
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    five = 5 * COLUMN
    page.set_content(
        f"<!doctype html><style>{css}</style><nav class='side'></nav><main><div class='rows picture'>"
        f"<svg class='map' width='{five}' height='300' viewBox='0 0 {five} 300'><rect id='last' x='{4 * COLUMN + 20}' y='40' width='{WIDE}' height='24'/></svg></div></main>"
    )
    place, last = (page.locator(one).bounding_box() for one in (".rows", "#last"))
    assert last["x"] + last["width"] <= place["x"] + place["width"]
    page.close()


@pytest.mark.parametrize("kind", ["date", "datetime-local"])
def test_a_date_shows_the_focus_in_each_of_its_parts(chromium, kind):
    css = (HERE / "static" / "console.css").read_text()
    page = chromium.new_page(viewport=PHONE)
    page.set_content(
        f"<!doctype html><style>{css}</style><input type='{kind}' id='day'><button>Next</button>"
    )
    page.focus("#day")
    rings = []
    while page.evaluate("document.activeElement.id") == "day":
        rings.append(page.locator("#day").evaluate("e => getComputedStyle(e).outlineStyle"))
        page.keyboard.press("Tab")
    assert len(rings) > 3, "month, day, year and the button of the calendar"
    assert set(rings) == {"solid"}
    page.close()
