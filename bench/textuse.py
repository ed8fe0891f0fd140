"""Ask texts for drugs and doses before and after they were cleaned: which share of the mentions is left as it was.

Rules:
- A *drug* is a word of our own short list of generic names, English or Spanish; a *dose* a number with a unit of medicine (``25 mg``,
  ``0.5 mcg/kg``); a *course* how often it is taken (``twice a day``, ``q8h``, ``cada 8 horas``).
- A mention is left where the same one stands in what was cleaned, as often. Marks and whatever else stands there now count nothing.
- The tolerance was set before anything was measured: one mention in fifty.

Deliberately absent: drugs by their trade names, which are nobody's list to copy.
"""

from __future__ import annotations

import re
from collections import Counter

TOLERANCE = 0.98

_DRUGS = ["acetaminophen", "albuterol", "alendronate", "allopurinol", "amiodarone", "amitriptyline", "amlodipine", "amoxicillin", "apixaban", "aspirin", "atenolol", "atorvastatin", "azithromycin", "baclofen", "bisoprolol", "budesonide", "bupropion", "captopril", "carbamazepine", "carvedilol", "ceftriaxone", "cephalexin", "ciprofloxacin", "citalopram", "clindamycin", "clonazepam", "clopidogrel", "cyclophosphamide", "dexamethasone", "diazepam", "diclofenac", "digoxin", "diltiazem", "donepezil", "doxycycline", "duloxetine", "enalapril", "enoxaparin", "escitalopram", "fentanyl", "fluconazole", "fluoxetine", "furosemide", "gabapentin", "gentamicin", "glipizide", "haloperidol", "heparin", "hydrochlorothiazide", "hydrocodone", "ibuprofen", "insulin", "ketorolac", "lamotrigine", "levetiracetam", "levothyroxine", "lisinopril", "lithium", "lorazepam", "losartan", "metformin", "methotrexate", "metoprolol", "metronidazole", "montelukast", "morphine", "naproxen", "omeprazole", "ondansetron", "oxycodone", "pantoprazole", "paroxetine", "penicillin", "phenytoin", "prednisone", "pregabalin", "quetiapine", "ramipril", "ranitidine", "rifampin", "risperidone", "rituximab", "rosuvastatin", "sertraline", "sildenafil", "simvastatin", "spironolactone", "sumatriptan", "tacrolimus", "tamoxifen", "tamsulosin", "tramadol", "trazodone", "valproate", "vancomycin", "venlafaxine", "verapamil", "warfarin", "zolpidem", "paracetamol", "amoxicilina", "ácido", "acetilsalicílico", "atorvastatina", "azitromicina", "ceftriaxona", "ciprofloxacino", "claritromicina", "clindamicina", "ciclofosfamida", "dexametasona", "diclofenaco", "digoxina", "doxiciclina", "doxorrubicina", "enalapril", "enoxaparina", "espironolactona", "fluconazol", "fluoxetina", "furosemida", "gentamicina", "heparina", "hidroclorotiazida", "ibuprofeno", "insulina", "levofloxacino", "levotiroxina", "lorazepam", "metamizol", "metformina", "metilprednisolona", "metotrexato", "metoprolol", "metronidazol", "morfina", "omeprazol", "pantoprazol", "penicilina", "piperacilina", "prednisona", "ramipril", "ranitidina", "rifampicina", "salbutamol", "simvastatina", "tamsulosina", "tramadol", "vancomicina", "vincristina", "warfarina"]  # fmt: skip
_DRUG = re.compile(rf"(?i)\b(?:{'|'.join(sorted(set(_DRUGS)))})\b")
_DOSE = re.compile(
    r"(?i)(?<![\d.,/-])\d{1,6}(?:[.,]\d{1,3})?[ ]?(?:mg|mcg|µg|ug|ml|cc|g|gr|kg|units?|unidades|ui|iu|meq|mmol|comprimidos?|tablets?|puffs?)(?:/(?:kg|day|d[íi]a|h|hr|dl|l|ml|m2|24h))?(?![\w/])"
)
_COURSE = re.compile(
    r"(?i)\b(?:(?:once|twice|three times|four times|\d times) (?:a|per|each) (?:day|week)|(?:once|twice) daily|daily|nightly|every \d{1,2} (?:hours?|h)|q\d{1,2}h|bid|tid|qid"
    r"|cada \d{1,2} (?:horas|h)|cada (?:d[íi]a|semana)|(?:una|dos|tres|cuatro) veces al d[íi]a|diari[oa]s?|al d[íi]a)\b"
)
KINDS = {"drug": _DRUG, "dose": _DOSE, "course": _COURSE}


def mentions(text: str) -> Counter[tuple[str, str]]:
    """Count what a text says of drugs: (kind, words in lower case)."""
    return Counter(
        (kind, " ".join(found[0].lower().split()))
        for kind, pattern in KINDS.items()
        for found in pattern.finditer(text)
    )


def left(before: str, after: str) -> dict[str, tuple[int, int, Counter[str]]]:
    """Say of each kind how many mentions are left as they were, of how many, and which went."""
    old, new = mentions(before), mentions(after)
    told = {}
    for kind in KINDS:
        of = {key: count for key, count in old.items() if key[0] == kind}
        went = Counter({words: max(count - new[kind, words], 0) for (_, words), count in of.items()})
        told[kind] = (sum(of.values()) - went.total(), sum(of.values()), +went)
    return told
