"""Where something went, and what something came from: messages, patients, and files of de-identification jobs.

Rules:
- On links what happened is what the ledger says; of jobs what their tables say. Nothing is guessed from what looks alike.
- Back from what was released goes by ids that say nothing: those of deliveries (MSH-10, and what FHIR ids begin with), and
  keyed names of files. A pseudonym is no such id: whose it is, is another question, for two people.
- A look back is bounded, and says how far it came.

``onward``: from a message or a patient · ``back``: from what was released, ``ids`` what of it says where from · ``files``: what jobs
wrote and held · ``told``: the answers.

Deliberately absent: who may ask (``cli``), values, paths: what a file was called is told only to who has the folder.
"""
