"""Made-up names, streets and towns; no list of anyone else, no real person.

Rules:
- No word here is a word of a device message, a unit, a drug or a ward: a hit is always a person.
- Some names have accents, hyphens, apostrophes, particles or several words, as names do.
"""

from __future__ import annotations

FAMILY = (
    "Abernethy", "Brockhausen", "Ćwiklińska", "Dunnavant", "Ekwueme", "Fitzgerrold", "Grünewald", "Hallström",
    "Ibarguren", "Jørgenson", "Kowalczyk", "Lindqvist-Møller", "Mbatha", "Núñez de Arcos", "O'Sullehan",
    "Petrossian", "Quirke", "Rasmusen", "Šimůnková", "Tanahashi", "Uddenberg", "van der Zwaan", "Wojciechow",
    "Xanthopoul", "Yıldırımlı", "Zubizarreta", "Ackermannova", "Bjarnadóttir", "Castellanoz", "Dąbrowicz",  # noqa: RUF001  Turkish dotless i
    "Eriksdotter", "Falkenrath", "Güneşoğlu", "Hrubešová", "Iwamotsu", "Jankauskaitė", "Koskelainen", "Łazarczyk",
    "Mäkiselkä", "Nguyenvan", "Öztürkmen", "Papadimos", "Qvarnström", "Rosenquist", "Szczepaniec", "Thorvaldur",
    "Ulbrichsen", "Vandermeulen",
)  # fmt: skip
"""Family names."""

GIVEN_FEMALE = (
    "Adaeze", "Brünhild", "Chidinma", "Dagny", "Eulalia", "Françoise", "Guðrún", "Hildegund", "Ingeborg", "Jadwiga",
    "Katalin", "Lavinia", "Małgorzata", "Nkechi", "Ottilie", "Philippa", "Renáta", "Saoirse", "Tuulikki", "Zoë",
)  # fmt: skip
"""Given names, female."""

GIVEN_MALE = (
    "Ambroz", "Bartholomew", "Cuthbert", "Dmitrij", "Eskil", "Fyodor", "Gilberto", "Håkon", "Ignacy", "Jürgen",
    "Kazimierz", "Leopold", "Mieczysław", "Nikolaos", "Oluwaseun", "Përparim", "Quentin", "Ragnvald", "Søren", "Thaddeus",
)  # fmt: skip
"""Given names, male."""

CANARY = ("Zyxthorpe", "Quenhilda")
"""Family and given name of the patient whose record may go to care recipients only."""

STREETS = (
    "Quillfeather Lane", "Marrowgate Terrace", "Old Tannery Row", "Saltpan Crescent", "Thistlewick Road",
    "Bramblecote Avenue", "Ferrymans Steps", "Gallowhill Mews", "Hawthornden Place", "Juniperfield Close",
)  # fmt: skip
"""Street names; a patient's has a house number before it."""

TOWNS = (
    ("Eastmarrow", "ZQ4 7LD"), ("Nether Quill", "ZQ9 2HB"), ("Saltingham", "ZX1 8TR"),
    ("Thornwick-on-Sea", "ZX6 3PN"), ("Upper Fenbridge", "ZY2 5GK"),
)  # fmt: skip
"""Town and postcode."""

STAFF = (("Okonjowa", "Beatrix"), ("Lindenauer", "Casper"), ("Farouqi", "Delshad"), ("Marchetta", "Elio"))
"""Physicians and nurses."""

PARTICLES = frozenset({"van", "der", "den", "de", "la", "von", "arcos", "sea"})
"""Words of names too common to say anything alone."""
