"""The inventory in formats that others read: CSV, FHIR R4, NetBox-shaped JSON, MUD. Pure writers.

Rules:
- What is written here our own importers read back the same (``lists``), as far as the format can say it.
- Nothing a spreadsheet would run: a cell that begins like a formula gets an apostrophe in front, which the import takes off.
- What comes from the network is a claim; it is written as the format escapes it, cut as ``model.VALUE_LENGTH_MAX`` says.

Deliberately absent: the database, files.
"""
