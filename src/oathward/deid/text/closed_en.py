"""The short lists of English words that the rules for names and places ask for (``capitals_en``).

Deliberately absent: open lists, which are files in ``words/``.
"""

from __future__ import annotations

from oathward.deid.text.dictionary import said

EMPLOYED = frozenset(
    (
        "works for",
        "work for",
        "worked for",
        "working for",
        "works at",
        "work at",
        "worked at",
        "working at",
        "employed by",
        "employed at",
        "employee of",
        "job at",
        "insured by",
        "insured with",
    )
)
"""What stands before an employer or insurer, whatever its name is made of."""
TITLES = said("mr mrs ms miss mx dr drs prof professor sir madam doctor")
STAFF_TITLES = said("dr drs prof professor doctor nurse surgeon attending physician provider pa rn np md")
STAFF_AFTER = said("md rn pa np do phd dds dnp crna pharmd lpn dpm facc")
LABELS = said(
    "name patient pt named called surname forename mother father wife husband son daughter brother sister partner spouse aunt uncle "
    "contact attn dear signed physician provider surgeon attending nurse resident radiologist cardiologist oncologist by"
)
KIN = said(
    "mother father wife husband son daughter brother sister partner spouse aunt uncle cousin niece nephew grandmother grandfather mom dad "
    "girlfriend boyfriend fiance fiancee guardian grandson granddaughter stepmother stepfather"
)
PARTICLES = said("de del della di da dos das la le van von der den ter ten bin ibn al el af av zu y e")
IN = said("in from near to towards outside around visiting visited live lives lived moved born at via of")
HOUSE = said(
    "hospital hospitals hosp clinic clinics hospice infirmary sanatorium medical med center centre health healthcare university college school "
    "institute foundation laboratory laboratories lab labs pharmacy rehabilitation rehab inc llc ltd corp corporation company co group "
    "partners associates systems system network services bank trust agency department church academy airport hotel society associação "
    "consulting capital insurance solutions technologies technology software media holdings orchestra gmbh ag plc sa nursing home "
    "airlines airways industries enterprises motors council limited research finance lines energy"
)
HOUSE_ALONE = said(
    "medical health med services system systems bank trust group school department church college home nursing co sa ag lab labs media technology software network insurance capital pharmacy rehab rehabilitation hotel company agency society center centre "
    "research finance lines energy"
)
GENERIC = said(
    "the a an this that our your their my his her at in on for to from of and or primary care emergency medical health center centre "
    "clinic hospital hospitals department outpatient inpatient intensive unit local urgent mental "
    "family internal medicine surgery surgical pain walk sleep transplant cancer heart stroke trauma nursing home behavioral"
)
FUNCTION = said(
    "the a an this that at in on for to from of and or but with by is was as if when where what which who how are were be been has have had do does did "
    "can could should would will may might must not no any all some i we you he she it they there here please thank since after before during"
)
EPONYM_NOUNS = said(
    "disease diseases syndrome syndromes sign signs test tests score scores criteria scale classification procedure maneuver manoeuvre reflex tube "
    "catheter fracture stain law index palsy lymphoma sarcoma tumor tumour phenomenon thyroiditis contracture chorea dementia esophagus disorder "
    "encephalopathy anemia ulcer cell cells ring node nodes body bodies method formula equation stage staging grade position solution arthritis nail "
    "nephropathy pouch flap drain forceps clamp needle curve study trial rule rules cyst apparatus model effect lines spots sinus angle triangle aphasia "
    "protocol regimen operation repair infarction abscess area gangrene membrane microscope virus bacillus hernia membrane duct gland glands fibers tetralogy "
    "smear neoplasm ultrasound exam examination dystrophy ataxia granulomatosis vasculitis purpura esophagitis"
)
LINKS = frozenset(("of", "at", "for"))
TAILS = HOUSE | said("general memorial presbyterian methodist baptist regional downtown children's childrens")
MONTHS = said("january february march april may june july august september october november december")
STATES_TOO = said("AL CO DE HI ID IN LA MA MD ME MS MT OH OK OR PA PE CT MB MI NS ON VA MO SC SD ND")
"""Letters of states that texts of medicine use for other things."""
STATES = said(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC "
    "AB BC MB NB NL NS ON PE QC SK UK USA US NSW VIC QLD"
)

GENERATIONS = said("jr sr ii iii iv")
BEFORE_NAMES = TITLES | said("is named called surname")
