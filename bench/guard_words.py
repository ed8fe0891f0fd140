"""Words, names and codes for made-up traffic: many names are words too, and many words are names."""

from __future__ import annotations

import random

_TEXT = """
patient comfortable on room air saturation stable mild oedema both ankles review tomorrow morning family
informed may mobilise with help no fever heart rate regular creatinine rising slightly continue furosemide
40 mg 2 x daily check potassium after 3 days dressing changed wound clean dry grey white brown green hill
stone young long short black field wood lane street baker smith carter
"""
WORDS = _TEXT.split()
NAMES = ("Li", "Na", "May", "Rose", "Grey", "Hill", "Young", "White", "Long", "Baker", "Lane", "Mark", "Art")
"""Short ones that are words too."""
NUMBER_CODES = (
    ("8867-4", "Heart rate", "/min"), ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "%"),
    ("9279-1", "Respiratory rate", "/min"), ("8310-5", "Body temperature", "Cel"), ("2160-0", "Creatinine", "mg/dL"),
    ("2345-7", "Glucose", "mg/dL"), ("718-7", "Hemoglobin", "g/dL"), ("14334-7", "Lithium", "mmol/L"),
)  # fmt: skip
"""Code, what it is called, unit."""
_SYLLABLES = (
    "ka",
    "ro",
    "mi",
    "len",
    "tor",
    "bas",
    "el",
    "quin",
    "dra",
    "po",
    "wen",
    "sha",
    "ul",
    "ber",
    "ing",
)


def name_of(chance: random.Random) -> str:
    """Make up a name; one in twenty is a word too."""
    if chance.random() < 0.05:
        return chance.choice(NAMES)
    return "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))).capitalize()
