"""Units as devices spell them, as UCUM codes (https://ucum.org/ucum). Pure.

What is in a table below is known at once, and what is UCUM already stays so. Anything else is kept as it was spelt and marked
as unknown: a unit that is guessed makes wrong data that look right. The grammar of UCUM is ucumvert's, conversions are pint's;
both are loaded when first needed, since they take 1 s and nearly every unit is in a table.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ucumvert import PintUcumRegistry


class Unit(NamedTuple):
    """A unit as a reading carries it."""

    code: str | None
    """UCUM code where `known`, else as it was spelt; None: none was named."""
    known: bool = True


NO_UNIT = Unit(None)
_ONE_AT_A_TIME = Lock()
"""pint's registry is made and read by one thread at a time: two at once each find it half made."""

ALIASES = {
    **dict.fromkeys(("°C", "º C", "ºC", "° C", "℃", "degC", "C", "celsius", "Celsius", "Cel"), "Cel"),
    **dict.fromkeys(("°F", "ºF", "℉", "degF", "F", "Fahrenheit"), "[degF]"),
    **dict.fromkeys(("µg/m³", "μg/m³", "ug/m³", "µg/m3", "μg/m3", "ug/m^3", "µg/m^3", "μg/m^3", "ug/m3"), "ug/m3"),
    **dict.fromkeys(("mg/m³", "mg/m^3", "mg/m3"), "mg/m3"),
    **dict.fromkeys(("%", "%RH", "%rh", "% RH", "%rF", "percent"), "%"),
    **dict.fromkeys(("dB(A)", "dBA", "dB (A)", "dB[SPL]"), "dB[SPL]"),  # UCUM has no weighting: 'A' is said in words
    **dict.fromkeys(("ppm", "PPM"), "[ppm]"),
    **dict.fromkeys(("ppb", "PPB"), "[ppb]"),
    **dict.fromkeys(("lx", "lux", "Lux"), "lx"),
    **dict.fromkeys(("°", "º", "degrees", "deg"), "deg"),
    **dict.fromkeys(("m³", "m^3", "m3"), "m3"),
    **dict.fromkeys(("m³/h", "m^3/h", "m3/h"), "m3/h"),
    **dict.fromkeys(("m²", "m^2", "m2"), "m2"),
    **dict.fromkeys(("W/m²", "W/m^2", "W/m2"), "W/m2"),
    **dict.fromkeys(("km/h", "kmh", "kph"), "km/h"),
    **dict.fromkeys(("mph",), "[mi_i]/h"),
    **dict.fromkeys(("kn", "kt", "knots"), "[kn_i]"),
    **dict.fromkeys(("inHg",), "[in_i'Hg]"),
    **dict.fromkeys(("mmHg",), "mm[Hg]"),
    **dict.fromkeys(("psi",), "[psi]"),
    **dict.fromkeys(("ft",), "[ft_i]"),
    **dict.fromkeys(("in",), "[in_i]"),
    **dict.fromkeys(("kWh",), "kW.h"),
    **dict.fromkeys(("Wh",), "W.h"),
    **dict.fromkeys(("VA",), "V.A"),
    **dict.fromkeys(("VAh",), "V.A.h"),
    **dict.fromkeys(("Ω", "ohm", "Ohm"), "Ohm"),
    **dict.fromkeys(("kΩ", "kOhm"), "kOhm"),
    **dict.fromkeys(("µS/cm", "μS/cm", "uS/cm"), "uS/cm"),
    **dict.fromkeys(("µs", "μs", "us"), "us"),
    **dict.fromkeys(("µSv/h", "μSv/h", "uSv/h"), "uSv/h"),
    **dict.fromkeys(
        ("hPa", "mbar", "Pa", "kPa", "bar", "K", "V", "mV", "A", "mA", "W", "kW", "Hz", "s", "min", "h"), ""
    ),
    **dict.fromkeys(
        ("ms", "m", "cm", "mm", "km", "kg", "g", "L", "l", "m/s", "mm/h", "L/min", "L/h", "dB", "1", "J"), ""
    ),
    **dict.fromkeys(("kHz", "MHz", "GHz", "mg", "t", "d", "lm", "mS/cm", "dS/m", "g/m3", "mg/L", "rad", "N"), ""),
}
"""What devices write. An empty text: UCUM writes it alike."""

SENML = {
    "m": "m", "kg": "kg", "g": "g", "s": "s", "A": "A", "K": "K", "cd": "cd", "mol": "mol", "Hz": "Hz", "rad": "rad", "sr": "sr",
    "N": "N", "Pa": "Pa", "J": "J", "W": "W", "C": "C", "V": "V", "F": "F", "Ohm": "Ohm", "S": "S", "Wb": "Wb", "T": "T", "H": "H",
    "Cel": "Cel", "lm": "lm", "lx": "lx", "Bq": "Bq", "Gy": "Gy", "Sv": "Sv", "kat": "kat", "m2": "m2", "m3": "m3", "l": "l",
    "m/s": "m/s", "m/s2": "m/s2", "m3/s": "m3/s", "l/s": "l/s", "W/m2": "W/m2", "cd/m2": "cd/m2", "bit": "bit", "bit/s": "bit/s",
    "lat": "deg", "lon": "deg", "pH": "[pH]", "dB": "dB", "dBW": "dB[W]", "count": "{count}", "/": "1", "%": "%", "%RH": "%",
    "%EL": "%", "EL": "s", "1/s": "/s", "1/min": "/min", "S/m": "S/m", "B": "By", "VA": "V.A", "J/m": "J/m",
    "kg/m3": "kg/m3", "deg": "deg", "NTU": "{NTU}", "Hz/s": "Hz/s", "ms": "ms", "min": "min", "h": "h", "MHz": "MHz", "kW": "kW",
    "kVA": "kV.A", "Ah": "A.h", "Wh": "W.h", "kWh": "kW.h", "mm": "mm", "cm": "cm", "km": "km", "km/h": "km/h", "ppm": "[ppm]",
    "ppb": "[ppb]", "hPa": "hPa", "mV": "mV", "mA": "mA", "kPa": "kPa", "cm3": "cm3", "mm/h": "mm/h",
}  # fmt: skip
"""RFC 8428's registry and its secondary units (RFC 8798): near UCUM, and not equal."""

REC_20 = {
    "CEL": "Cel", "FAH": "[degF]", "KEL": "K", "P1": "%", "C62": "1", "GQ": "ug/m3", "GP": "mg/m3", "A93": "g/m3", "KMQ": "kg/m3",
    "KMH": "km/h", "MTS": "m/s", "HM": "[mi_i]/h", "KNT": "[kn_i]", "LUX": "lx", "LUM": "lm", "CDL": "cd", "PAL": "Pa", "A97": "hPa",
    "KPA": "kPa", "MBR": "mbar", "BAR": "bar", "MTR": "m", "CMT": "cm", "MMT": "mm", "KMT": "km", "INH": "[in_i]", "FOT": "[ft_i]",
    "MTK": "m2", "MTQ": "m3", "LTR": "L", "MLT": "mL", "MQH": "m3/h", "G51": "L/s", "L2": "L/min", "KGM": "kg", "GRM": "g", "MGM": "mg",
    "TNE": "t", "SEC": "s", "MIN": "min", "HUR": "h", "DAY": "d", "C26": "ms", "HTZ": "Hz", "KHZ": "kHz", "MHZ": "MHz", "D50": "GHz",
    "VLT": "V", "2Z": "mV", "AMP": "A", "4K": "mA", "OHM": "Ohm", "WTT": "W", "KWT": "kW", "WHR": "W.h", "KWH": "kW.h", "JOU": "J",
    "DD": "deg", "C81": "rad", "2N": "dB", "59": "[ppm]", "61": "[ppb]", "NEW": "N", "D54": "W/m2", "M1": "mg/L", "BQL": "Bq",
    "D13": "Sv", "C28": "mSv", "MSK": "m/s2", "D33": "T", "A86": "Gy", "H67": "mm/h", "5K": "{count}/min", "MOL": "mol", "PR": "{pair}",
}  # fmt: skip
"""UN/CEFACT Recommendation 20, common codes (EPCIS and NGSI name units so): those of sensors."""


def ucum(spelling: str | None) -> Unit:
    """What a device writes. Case counts: UCUM's `C` is the coulomb, yet devices mean Celsius by it."""
    return NO_UNIT if not spelling else _ucum(spelling.strip())


def senml(unit: str | None) -> Unit:
    """A unit of SenML's registry."""
    if not unit:
        return NO_UNIT
    code = SENML.get(unit)
    return Unit(code) if code else Unit(unit, known=False)


def rec_20(code: str | None) -> Unit:
    """A common code of Recommendation 20."""
    if not code:
        return NO_UNIT
    known = REC_20.get(code.strip())
    return Unit(known) if known else Unit(code, known=False)


@lru_cache(4096)
def _ucum(spelling: str) -> Unit:
    alias = ALIASES.get(spelling)
    if alias is not None:
        return Unit(alias or spelling)
    return Unit(spelling) if _is_ucum(spelling) else Unit(spelling, known=False)


def convert(value: float, from_: str, to: str) -> float | None:
    """A value in one UCUM unit as one in another, by its decimal digits and rounded once; None where no factor and offset lead
    there, or the value is not finite.
    """
    line = _line(from_, to)
    if line is None:
        return None
    try:
        return float(Fraction(repr(value)) * line[0] + line[1])
    except (ValueError, OverflowError):
        return None


@lru_cache(4096)
def _line(from_: str, to: str) -> tuple[Fraction, Fraction] | None:
    with _ONE_AT_A_TIME:
        try:
            registry = _registry()
            source, target = (registry.from_ucum(code) for code in (from_, to))
            at = [Fraction(registry.Quantity(Fraction(x), source.units).to(target.units).magnitude) for x in (0, 1, 2)]
            scale = Fraction(source.magnitude) / Fraction(target.magnitude)
        except Exception:  # noqa: BLE001 - ucumvert and pint raise a dozen unrelated kinds; each means that there is none
            return None
    if at[2] - at[1] != at[1] - at[0]:
        return None  # a logarithm
    return (at[1] - at[0]) * scale, at[0]


def _is_ucum(code: str) -> bool:
    if len(code) > 64 or not code.isascii():  # noqa: PLR2004 - the longest that anyone writes, with room
        return False
    with _ONE_AT_A_TIME:
        try:
            _registry().from_ucum(code)
        except Exception:  # noqa: BLE001 - as above
            return False
    return True


@cache
def _registry() -> PintUcumRegistry:
    from ucumvert import PintUcumRegistry  # noqa: PLC0415 - 1 s, and most processes never need it

    return PintUcumRegistry(non_int_type=Fraction)
