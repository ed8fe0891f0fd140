"""Burned-in text: how much of it goes, what goes with it, and how long that takes: ``python -m bench.bench_deid_pixels``.

Rules:
- Generated images (``tests/pixels.py``, by seed): three texts each, of a size, a contrast and a ground; in corners and in the
  middle; no box is known beforehand, so that reading alone is measured. Each tenth image has no text.
- *Covered*: a text of which nine tenths of the pixels were blanked, whoever can read them. *Legible*: of which Tesseract still
  reads a word of four characters or more in the output, as it is, twice and three times as large. Intervals: 95 %, Wilson.
- *More*: pixels blanked farther than 12 from any text, as a share of the image: of images with text, and of those without.
- Held images give nothing away, and count as covered; how many is said.

Source: E. B. Wilson, Probable inference (1927).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from tests.pixels import Planted, anatomy, image, lines_of, write

from oathward.deid.pixels.clean import clean
from oathward.deid.pixels.frames import decode, opened
from oathward.deid.pixels.model import Cleaned, Held, Untouched
from oathward.deid.pixels.picture import picture_of, resized
from oathward.deidentifying.ocr import reader

OUT = Path(__file__).parent / "out"
SIZES = (10, 13, 18, 28)
CONTRASTS = {"strong": 200, "middle": 90, "faint": 45}
GROUNDS = ("dark", "light", "anatomy", "colour")
ROWS, COLUMNS = 480, 640
NEAR = 12
COVERED = 0.9


@dataclass
class Counted:
    """What one kind of text came to."""

    texts: int = 0
    covered: int = 0
    legible: int = 0
    held: int = 0
    missed: list[str] = field(default_factory=list)


def main() -> int:
    """Generate, clean, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("OATHWARD_SEED", "20260101")))
    parser.add_argument(
        "--seconds", type=float, default=600, help="no more images after so long; how many is said"
    )
    options = parser.parse_args()
    read = reader()
    if read is None:
        print("skipped: no Tesseract here")
        return 0
    chance = random.Random(options.seed)
    counts: dict[str, Counted] = defaultdict(Counted)
    more: dict[str, list[float]] = {"with text": [], "without text": []}
    seconds: list[float] = []
    untouched = clear = 0
    started = time.perf_counter()
    for number in range(options.images):
        if time.perf_counter() - started > options.seconds:
            break
        size, (contrast, step), ground = (
            chance.choice(SIZES),
            chance.choice(list(CONTRASTS.items())),
            chance.choice(GROUNDS),
        )
        pixels, planted = made(chance, size, step, ground, texts=0 if number % 10 == 9 else 3)
        dataset = image(pixels, photometric="RGB" if pixels.ndim == 3 else "MONOCHROME2")
        begin = time.perf_counter()
        outcome = clean(dataset, read)
        seconds.append(time.perf_counter() - begin)
        if not planted:
            clear, untouched = clear + 1, untouched + isinstance(outcome, Untouched)
        changed = blanked(outcome, pixels)
        kinds = ("all", f"{size} px", contrast, ground)
        judge(planted, outcome, changed, [counts[kind] for kind in kinds], legible_in(outcome, pixels, read))
        if not isinstance(outcome, Held):
            more["with text" if planted else "without text"].append(elsewhere(changed, planted))
    print(f"{len(seconds)} images, seed {options.seed}")
    table(counts)
    for name, shares in more.items():
        print(
            f"more blanked, {name:<13} {100 * float(np.mean(shares or [0])):.2f} % of the image, at most {100 * max(shares or [0]):.2f} %"
        )
    print(f"images without text untouched: {untouched} of {clear}")
    seconds.sort()
    print(
        f"seconds an image of {COLUMNS}x{ROWS}: median {seconds[len(seconds) // 2]:.1f}, at most {seconds[-1]:.1f}"
    )
    OUT.mkdir(exist_ok=True)
    figures = {
        kind: {"texts": one.texts, "covered": one.covered, "legible": one.legible}
        for kind, one in counts.items()
    }
    (OUT / "deid_pixels.json").write_text(json.dumps({"seed": options.seed, **figures}, indent=2) + "\n")
    return 0


def made(chance: random.Random, size: int, step: int, ground: str, texts: int) -> tuple[Any, list[Planted]]:
    """Make an image and write texts into it."""
    pixels = anatomy(ROWS, COLUMNS, chance.randrange(1 << 30))
    if ground in {"dark", "light"}:
        pixels[: ROWS // 4] = pixels[-ROWS // 4 :] = 8 if ground == "dark" else 240
    if ground == "colour":
        pixels = np.repeat(pixels[..., None], 3, axis=2)
        pixels[: ROWS // 4] = pixels[-ROWS // 4 :] = [chance.randrange(0, 90) for _ in range(3)]
    planted = []
    for place in chance.sample(range(6), texts):
        x = chance.randrange(4, COLUMNS // 3)
        y = (
            (ROWS // 4 - 70 if place < 3 else ROWS * 3 // 4 + 8) + 22 * (place % 3)
            if ground != "anatomy"
            else 90 + 50 * place
        )
        y = max(2, y - (40 if place < 3 and ground != "anatomy" else 0))
        here = pixels[y : y + size, x : x + size * 6].reshape(-1, *pixels.shape[2:]).astype(int).mean(axis=0)
        value = here + step if np.mean(here) < 120 else here - step
        planted.append(write(pixels, lines_of(chance), x, y, size, np.clip(value, 0, 255)))
    return pixels, planted


def blanked(outcome: Any, before: Any) -> Any:
    """Give where pixels were blanked (rows, columns)."""
    mask = np.zeros(before.shape[:2], dtype=bool)
    for box in outcome.boxes if isinstance(outcome, Cleaned) else ():
        mask[box.y0 : box.y1, box.x0 : box.x1] = True
    return mask


def legible_in(outcome: Any, before: Any, read: Any) -> str:
    """Read the output, in renderings of our own; all words in one line."""
    if isinstance(outcome, Held):
        return ""
    pixels = decode(opened(outcome.file)).pixels[0] if isinstance(outcome, Cleaned) else before
    grey = pixels.mean(axis=2).astype(np.uint8) if pixels.ndim == 3 else pixels
    return " ".join(word.text for factor in (1, 2, 3) for word in read(picture_of(resized(grey, factor))))


def judge(planted: list[Planted], outcome: Any, changed: Any, counts: list[Counted], legible: str) -> None:
    """Count each text for each of its kinds."""
    held = isinstance(outcome, Held)
    for text in planted:
        words = [word for word in re.findall(r"[\w']+", text.text) if len(word) >= 4]
        share = changed[text.ink].mean()
        for one in counts:
            one.texts += 1
            one.held += held
            one.covered += int(held or share >= COVERED)
            one.legible += any(word in legible for word in words)
            if not held and share < COVERED:
                one.missed.append(f"{share:.2f}")


def elsewhere(changed: Any, planted: list[Planted]) -> float:
    """Give the share of the image that was blanked far from any text."""
    near = np.zeros_like(changed)
    for text in planted:
        rows, columns = np.nonzero(text.ink)
        near[
            max(0, rows.min() - NEAR) : rows.max() + NEAR, max(0, columns.min() - NEAR) : columns.max() + NEAR
        ] = True
    return float((changed & ~near).mean())


def table(counts: dict[str, Counted]) -> None:
    """Print a line a kind."""
    print(f"{'kind':<10}{'texts':>6}{'covered':>9}  {'95 %':<15}{'legible':>8}{'held':>6}")
    with_text = {kind: one for kind, one in counts.items() if one.texts}
    for kind, one in sorted(with_text.items(), key=lambda item: (item[0] != "all", item[0])):
        low, high = wilson(one.covered, one.texts)
        print(
            f"{kind:<10}{one.texts:>6}{one.covered / one.texts:>9.3f}  {low:.3f}-{high:.3f}    {one.legible:>8}{one.held:>6}"
        )


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Give the 95 % interval of a share."""
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, middle + half


if __name__ == "__main__":
    sys.exit(main())
