"""Lists that others keep of devices: a CMMS, NetBox, FHIR servers, GUDID, MUD files, vendors.

| module | what |
|---|---|
| one file a format, with ``LIST`` | what it reads, and how |
| ``reading`` | what every format gives: what was told, what was refused, and where |
| ``opening`` | bytes of a list, unpacked under limits; ``lines``, ``rows``, ``items``, ``nodes``: its lines, rows, JSON objects, XML elements |
| ``attributes``, ``cells`` | what columns may mean; one cell as marks and facts |
| ``mapping``, ``proposing`` | which column is what, as TOML; the proposal of it |
| ``reconciling`` | a list against what is known |

Rules:
- Everything is streamed: no more than a row, and what must be joined, is in memory.
- What is not read is told by line, column and reason, never by its value. Nothing is left out in silence.
- No patient of anybody: a column or element that names one is never read.

Deliberately absent: any database; what follows from a list (``endpoints``).
"""
