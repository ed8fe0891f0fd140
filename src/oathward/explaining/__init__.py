"""Who may see what of one patient (``now``), who cares for them (``carers``), why something was sent or not (``past``).

``listing`` keeps the list of patients who said something: one row a patient, whoever they were known as.

It asks several contexts and the bundle in force, as ``governing`` does for the register; each answer is ``told`` plainly.
"""
