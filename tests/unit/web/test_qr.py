"""QR codes, read back by an independent reader (npm's jsqr on the packaged Node)."""

import json
import random
import subprocess

import pytest
from tests.architecture import tracked

from oathward.core.errors import InputError
from oathward.web.sign_in import qr

READ = """
import { createRequire } from "node:module";
const found = createRequire(process.argv[2] + "/")("jsqr"), jsQR = found.default ?? found;
const squares = JSON.parse(await new Response(process.stdin).text());
console.log(JSON.stringify(squares.map((rows) => {
  const zoom = 4, quiet = 4, side = (rows.length + 2 * quiet) * zoom;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  rows.forEach((row, r) => row.forEach((dark, c) => {
    if (!dark) return;
    for (let y = 0; y < zoom; y++) for (let x = 0; x < zoom; x++) {
      const at = (((r + quiet) * zoom + y) * side + (c + quiet) * zoom + x) * 4;
      pixels[at] = pixels[at + 1] = pixels[at + 2] = 0;
    }
  }));
  return jsQR(pixels, side, side)?.data ?? null;
})));
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    assets = tracked.script("assets")
    modules = assets.modules(development=True)
    script = tmp_path_factory.mktemp("qr") / "read.mjs"
    script.write_text(READ)

    def reading(squares) -> list[str | None]:
        done = subprocess.run([assets.node(), script, modules.parent], input=json.dumps(squares), capture_output=True, text=True, check=True)  # fmt: skip
        return json.loads(done.stdout)

    return reading


def texts() -> list[str]:
    """One of each version, at both its ends, and an otpauth address."""
    chance = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/?&=%"
    ends = [qr._capacity(v) - (2 if v < 10 else 3) for v in qr._BLOCKS]
    lengths = sorted({1, *ends, *(n + 1 for n in ends[:-1])})
    address = "otpauth://totp/Oathward%3Aada%40hospital.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Oathward"
    return [address, *("".join(chance.choices(letters, k=n)) for n in lengths)]


def test_what_is_written_is_read(read):
    wanted = texts()
    squares = [qr.matrix(text.encode()) for text in wanted]
    assert {(len(one) - 17) // 4 for one in squares} == set(qr._BLOCKS), "every version is among them"
    assert read(squares) == wanted


def test_a_reader_that_is_told_something_else_reads_something_else(read):
    """Reverse: the reader looks."""
    square = qr.matrix(b"one text")
    for row in square[9:12]:
        row[9:12] = [1 - dark for dark in row[9:12]]
    assert read([qr.matrix(b"another text"), [[0] * 21] * 21]) == ["another text", None]
    assert read([square]) in ([None], ["one text"]), (
        "mended by its check bytes, or not read: never another text"
    )


def test_the_path_draws_the_dark_squares():
    square, drawn = qr.matrix(b"x"), qr.encode("x")
    assert drawn.side == len(square) + 8
    dark = sum(int(part.split("h")[1].split("v")[0]) for part in drawn.path.split("M")[1:])
    assert dark == sum(map(sum, square))


def test_what_is_too_long_is_refused():
    qr.encode("x" * 425)
    with pytest.raises(InputError):
        qr.encode("x" * 426)
