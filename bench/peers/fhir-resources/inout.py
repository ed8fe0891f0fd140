"""Read Observations from standard input, a line each, into ``fhir.resources`` models (R4B) and write them again.

Prints how many it does a second of CPU time.
"""

import sys
import time

from fhir.resources.R4B.observation import Observation

lines = sys.stdin.read().splitlines()
for line in lines[:50]:
    Observation.model_validate_json(line).model_dump_json()
begin = time.process_time()
for line in lines:
    Observation.model_validate_json(line).model_dump_json()
print(len(lines) / (time.process_time() - begin))
