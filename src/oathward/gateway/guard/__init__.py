"""The guard: one more look at the bytes that would leave, for words of the patient they are about, and of others.

| file | what |
|---|---|
| ``guard`` | ``Guard``: its rules, and what it remembers about persons |
| ``original`` | what came, of any protocol; ``of_hl7v2``, ``of_fhir``, ``of_fhir_person`` say where its persons stand |
| ``tokens``, ``makers`` | what it says about them, as tokens to search for, and how those are made |
| ``payload`` | what would leave, in lines: segments, or the objects of JSON |
| ``message`` | what the links of one message share; tokens by their keyed hashes |
| ``check`` | one check of one payload, line by line and behind encodings |
| ``quiet`` | a quick look at JSON as it is written |
| ``verdict`` | what it says: clean, counted, stop |
| ``context`` | what is searched for in messages about one person, and what was found clean |
| ``outlines``, ``spans``, ``hashes`` | what is known of lines that differ in digits only; where tokens may stand in them; keyed hashes of these |
| ``search``, ``dates`` | finding tokens in a text, whatever stands between their characters |
| ``normalise`` | plain forms, and the forms that text can be hidden in |
"""

from oathward.gateway.guard.guard import Guard

__all__ = ["Guard"]
