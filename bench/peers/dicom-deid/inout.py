"""De-identify a folder of DICOM files into another with one of three tools, as its own defaults are: ``inout.py NAME IN OUT``.

Prints how many files it does a second.
"""

import logging
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable()


def dicom_anonymizer(files, out):
    from dicomanonymizer import anonymize_dicom_file

    for path in files:
        anonymize_dicom_file(str(path), str(out / path.name))


def dicognito(files, out):
    from dicognito.anonymizer import Anonymizer
    from pydicom import dcmread

    anonymizer = Anonymizer()
    for path in files:
        with dcmread(path) as dataset:
            anonymizer.anonymize(dataset)
            dataset.save_as(out / path.name)


def deid(files, out):
    from deid.config import DeidRecipe
    from deid.dicom import get_identifiers, replace_identifiers

    recipe = DeidRecipe()
    for path in files:
        found = get_identifiers([str(path)])
        replace_identifiers(
            dicom_files=[str(path)], deid=recipe, ids=found, save=True, output_folder=str(out), overwrite=True
        )


TOOLS = {"dicom-anonymizer": dicom_anonymizer, "dicognito": dicognito, "deid": deid}
tool, files, out = TOOLS[sys.argv[1]], sorted(Path(sys.argv[2]).iterdir()), Path(sys.argv[3])
tool(files[:2], out)
begin = time.perf_counter()
tool(files, out)
print(len(files) / (time.perf_counter() - begin))
