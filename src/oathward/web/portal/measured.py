"""What was measured, in words a patient knows: codes of LOINC and IEEE 11073-10101 -> one of our own texts (``values.*``).

Rules:
- The code counts, whatever text stands beside it; a reference id of IEEE 11073-10101 counts as its code does, also where a
  device writes it as text.
- What no text stands for is called as its device calls it, and is marked as the device's words.
- Two ways to measure one thing share a text where the way says nothing to a patient; a cuff and a line in an artery do not.

Deliberately absent: words (they are in ``texts``), units, what a value means, local codes of makers.

Source: LOINC 2.82; ISO/IEEE 11073-10101; the MDC code is partition * 65536 + term code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.bedside.picture import pretty
from oathward.core.code_systems import canonical
from oathward.core.phi import Phi

if TYPE_CHECKING:
    from oathward.bedside.picture import Reading
    from oathward.web.portal.view import View

CODES: Mapping[str, tuple[str, ...]] = {
    # heart
    "heart_rate": (
        *("LN|8867-4", "LN|76282-3", "LN|69000-8", "MDC|147842", "MDC|149554", "MDC|149562", "MDC|8410590"),
        *("MDC|8454258", "MDC_ECG_HEART_RATE", "MDC_TTHOR_HEART_RATE", "MDC_PALPATION_HEART_RATE"),
        *("MDC_ECG_HEART_RATE_INSTANT", "MDC_HF_HR"),
    ),
    "heart_rate_rest": ("LN|40443-4",),
    "pulse": (
        *("LN|8889-8", "LN|8893-0", "MDC|149514", "MDC|149522", "MDC|149530", "MDC|149546", "MDC_PULS_RATE"),
        *("MDC_BLD_PULS_RATE_INV", "MDC_PULS_OXIM_PULS_RATE", "MDC_PULS_RATE_NON_INV"),
    ),
    "extra_beats": ("MDC|148065", "MDC|148066", "MDC_ECG_V_P_C_CNT", "MDC_ECG_V_P_C_RATE"),
    "heart_trace": (
        *("LN|11524-6", "MDC|131328", "MDC|131329", "MDC|131330", "MDC|131389", "MDC|131390", "MDC|131391"),
        *("MDC|131392", "MDC|131331", "MDC|131332", "MDC|131333", "MDC|131334", "MDC|131335", "MDC|131336"),
        *("MDC_ECG_ELEC_POTL", "MDC_ECG_ELEC_POTL_I", "MDC_ECG_ELEC_POTL_II", "MDC_ECG_ELEC_POTL_III"),
        *("MDC_ECG_ELEC_POTL_AVR", "MDC_ECG_ELEC_POTL_AVL", "MDC_ECG_ELEC_POTL_AVF", "MDC_ECG_ELEC_POTL_V1"),
        *("MDC_ECG_ELEC_POTL_V2", "MDC_ECG_ELEC_POTL_V3", "MDC_ECG_ELEC_POTL_V4", "MDC_ECG_ELEC_POTL_V5"),
        "MDC_ECG_ELEC_POTL_V6",
    ),
    "heart_trace_st": (
        *("MDC|131840", "MDC|131841", "MDC|131842", "MDC_ECG_AMPL_ST", "MDC_ECG_AMPL_ST_I"),
        "MDC_ECG_AMPL_ST_II",
    ),
    "heart_trace_qt": (
        *("LN|8634-8", "LN|8636-3", "MDC|147232", "MDC|147236", "MDC_ECG_TIME_PD_QT_GL"),
        "MDC_ECG_TIME_PD_QTc",
    ),
    # blood
    "pressure_high": ("LN|8480-6", "MDC|150017", "MDC_PRESS_BLD_SYS"),
    "pressure_low": ("LN|8462-4", "MDC|150018", "MDC_PRESS_BLD_DIA"),
    "pressure_mean": ("LN|8478-0", "MDC|150019", "MDC_PRESS_BLD_MEAN"),
    "cuff_high": ("LN|76534-7", "MDC|150021", "MDC_PRESS_BLD_NONINV_SYS"),
    "cuff_low": ("LN|76535-4", "MDC|150022", "MDC_PRESS_BLD_NONINV_DIA"),
    "cuff_mean": ("LN|76536-2", "MDC|150023", "MDC_PRESS_BLD_NONINV_MEAN"),
    "artery_high": (
        *("LN|76215-3", "MDC|150033", "MDC|150037", "MDC_PRESS_BLD_ART_SYS"),
        "MDC_PRESS_BLD_ART_ABP_SYS",
    ),
    "artery_low": (
        *("LN|76213-8", "MDC|150034", "MDC|150038", "MDC_PRESS_BLD_ART_DIA"),
        "MDC_PRESS_BLD_ART_ABP_DIA",
    ),
    "artery_mean": (
        *("LN|76214-6", "MDC|150035", "MDC|150039", "MDC_PRESS_BLD_ART_MEAN"),
        "MDC_PRESS_BLD_ART_ABP_MEAN",
    ),
    "vein_pressure": (
        *("LN|60985-9", "MDC|150084", "MDC|150087", "MDC_PRESS_BLD_VEN_CENT"),
        "MDC_PRESS_BLD_VEN_CENT_MEAN",
    ),
    "oxygen": (
        *("LN|59408-5", "LN|2708-6", "LN|20564-1", "MDC|150324", "MDC|150456", "MDC_SAT_O2_ART"),
        "MDC_PULS_OXIM_SAT_O2",
    ),
    "flow_at_sensor": ("LN|61006-3", "MDC|150488", "MDC_PULS_OXIM_PERF_REL"),
    "sugar": (
        *("LN|2339-0", "LN|2345-7", "LN|15074-8", "LN|41653-7", "LN|14749-6", "LN|32016-8", "MDC|160020"),
        *("MDC|160184", "MDC|160188", "MDC|160192", "MDC|160196", "MDC|160200", "MDC|160204", "MDC|160364"),
        *("MDC|160368", "MDC_CONC_GLU_GEN", "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD"),
        *("MDC_CONC_GLU_CAPILLARY_PLASMA", "MDC_CONC_GLU_VENOUS_WHOLEBLOOD", "MDC_CONC_GLU_VENOUS_PLASMA"),
        *("MDC_CONC_GLU_ARTERIAL_WHOLEBLOOD", "MDC_CONC_GLU_ARTERIAL_PLASMA"),
        *("MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD", "MDC_CONC_GLU_UNDETERMINED_PLASMA"),
    ),
    "sugar_skin": ("LN|99504-3", "MDC|160212", "MDC_CONC_GLU_ISF"),
    "sugar_months": ("LN|4548-4", "MDC|160220", "MDC_CONC_HBA1C"),
    "clotting": ("LN|6301-6", "LN|34714-6", "MDC|160260", "MDC_RATIO_INR_COAG"),
    # breath
    "breaths": (
        *("LN|9279-1", "MDC|151562", "MDC|151570", "MDC|151578", "MDC|151594", "MDC|151602", "MDC|151650"),
        *("MDC|151658", "MDC|8410992", "MDC_RESP_RATE", "MDC_AWAY_RESP_RATE", "MDC_TTHOR_RESP_RATE"),
        *("MDC_CO2_RESP_RATE", "MDC_PRESS_RESP_RATE", "MDC_ACOUSTIC_RESP_RATE", "MDC_SABTE_RESP_RATE"),
        "MDC_PULS_OXIM_PLETH_RESP_RATE",
    ),
    "breath_out_gas": (
        *("LN|19889-5", "LN|19891-1", "MDC|151708", "MDC_CONC_AWAY_CO2_ET"),
        "MDC_AWAY_CO2_ET",
    ),
    "oxygen_given": ("LN|3150-6", "MDC_CONC_AWAY_O2_INSP"),
    "oxygen_flow": ("LN|3151-8",),
    "breath_size": ("MDC|151868", "MDC_VOL_AWAY_TIDAL"),
    "breath_minute": ("MDC|151880", "MDC_VOL_MINUTE_AWAY"),
    "breath_pressure_high": ("MDC|151793", "MDC_PRESS_AWAY_MAX"),
    "breath_pressure_low": ("MDC|151794", "MDC_PRESS_AWAY_MIN"),
    "blow_peak": ("LN|19935-6", "LN|33452-4", "MDC|152584", "MDC_FLOW_AWAY_EXP_FORCED_PEAK"),
    "blow_second": ("LN|20150-9", "MDC|152586", "MDC_VOL_AWAY_EXP_FORCED_1S"),
    "blow_all": ("LN|19868-9", "LN|19870-5", "MDC|188928", "MDC_VOL_AWAY_EXP_FORCED_CAPACITY"),
    # body
    "temperature": ("LN|8310-5", "MDC|150364", "MDC_TEMP_BODY"),
    "temperature_inside": (
        *("LN|8329-5", "MDC|150368", "MDC|188456", "MDC_TEMP_CORE", "MDC_TEMP_GIT"),
        *("LN|8332-9", "MDC|188420", "MDC_TEMP_RECT"),
    ),
    "temperature_skin": ("LN|39106-0", "MDC|150388", "MDC_TEMP_SKIN"),
    "temperature_mouth": ("LN|8331-1", "MDC|188424", "MDC_TEMP_ORAL"),
    "temperature_arm": ("LN|8328-7", "MDC|188452", "MDC_TEMP_AXILLA"),
    "temperature_ear": ("LN|8333-7", "MDC|150392", "MDC|188428", "MDC_TEMP_TYMP", "MDC_TEMP_EAR"),
    "temperature_any": ("MDC|150344", "MDC_TEMP"),
    "weight": ("LN|29463-7", "LN|3141-9", "MDC|188736", "MDC_MASS_BODY_ACTUAL"),
    "height": ("LN|8302-2", "LN|3137-7", "MDC|188740", "MDC_LEN_BODY_ACTUAL"),
    "bmi": ("LN|39156-5", "MDC|188752", "MDC_RATIO_MASS_BODY_LEN_SQ"),
    "fat": ("LN|41982-0", "MDC|188748", "MDC_BODY_FAT"),
    "water": ("MDC|188764", "MDC_BODY_WATER"),
    "head": ("LN|9843-4", "LN|8287-5", "MDC|153856", "MDC_CIRCUM_HEAD"),
    "pain": ("LN|72514-3", "LN|38208-5"),
    "urine": ("LN|9187-6", "LN|9192-6"),
    "steps": ("LN|55423-8", "LN|41950-7"),
    "way": ("LN|55430-3",),
    "burned": ("LN|41981-2",),
    "sleep": ("LN|93832-4",),
    # pumps
    "flow": ("MDC|157784", "MDC|158014", "MDC_FLOW_FLUID_PUMP", "MDC_FLOW_FLUID_PUMP_CURRENT"),
    "given": (
        *("MDC|157864", "MDC|157992", "MDC|157993", "MDC_VOL_FLUID_DELIV", "MDC_VOL_FLUID_DELIV_SEGMENT"),
        "MDC_VOL_FLUID_DELIV_TOTAL",
    ),
    "planned": ("MDC|157884", "MDC_VOL_FLUID_TBI"),
    "left": ("MDC|157872", "MDC_VOL_FLUID_TBI_REMAIN"),
    "time_left": ("MDC|157916", "MDC_TIME_PD_REMAIN"),
    "dose_rate": ("MDC|157924", "MDC_RATE_DOSE"),
    "strength": ("MDC|157760", "MDC_CONC_DRUG"),
    "drug": ("MDC|184330", "MDC|184514", "MDC_DRUG_NAME_TYPE", "MDC_DRUG_NAME_LABEL"),
    "pump_does": ("MDC|184508", "MDC|184519", "MDC_PUMP_STAT", "MDC_PUMP_INFUSING_STATUS"),
    "pump_mode": ("MDC|184504", "MDC_PUMP_MODE"),
    "insulin_slow": ("MDC|189440", "MDC_INS_DELIV_BASAL"),
    "insulin_fast": ("MDC|189452", "MDC_INS_DELIV_BOLUS_FAST"),
    # of the device itself
    "note": ("MDC|69643", "MDC_ATTR_NOTE_TEXT"),
    "battery": ("MDC|67996", "MDC_ATTR_VAL_BATT_CHARGE"),
}
"""Text -> the codes it stands for (``system|code``, as HL7 table 0396 names systems), and reference ids of MDC."""

OURS: Mapping[str, str] = {
    "a waveform": "values.is_trace",
    "an attachment": "values.is_file",
    "yes": "values.is_yes",
    "no": "values.is_no",
}
"""What reading an original wrote in place of a value, in our words -> text."""

SAYS = (*(f"values.{text}" for text in CODES), *OURS.values())

_BY_CODE = {code if "|" in code else f"MDC|{code}": text for text, codes in CODES.items() for code in codes}
_BY_NAME = {
    pretty("", code): text for text, codes in CODES.items() for code in codes if code.startswith("MDC_")
}


@dataclass(frozen=True, slots=True)
class Named:
    """What something is called. ``ours``: in our words, in the viewer's language; else in the device's."""

    words: str
    ours: bool


def text_of(reading: Reading) -> str:
    """Give the text that stands for what was measured; empty where there is none."""
    system, _, code = reading.code.partition("|")
    return _BY_CODE.get(f"{canonical(system)}|{code}") or _BY_NAME.get(reading.name, "")


def named(view: View, reading: Reading) -> Named:
    """Say what was measured."""
    text = text_of(reading)
    return Named(view.say(f"values.{text}"), ours=True) if text else Named(reading.name, ours=False)


def value(view: View, reading: Reading) -> Phi[str]:
    """Write a value: a number as the viewer's language does, anything else as it came."""
    written = reading.value.reveal()
    if reading.number.reveal() is not None:
        return Phi(view.texts.number(written))
    ours = OURS.get(written)
    return Phi(view.say(ours)) if ours else reading.value
