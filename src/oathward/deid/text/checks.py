"""Check digits and number forms that recognisers ask for.

Source: ISO/IEC 7812-1 (Luhn); ISO 13616 (IBAN, mod 97); 45 CFR 162.406 (NPI: Luhn over 80840 and the number); 21 CFR 1306 (DEA number's sum).
"""

from __future__ import annotations

_DIGITS = "0123456789"
_NPI_PREFIX = "80840"
_NPI_DIGITS = 10
_DEA_DIGITS = 7
_CARD_DIGITS = (12, 19)


def digits(text: str) -> str:
    """Give the decimal digits of a text."""
    return "".join(filter(_DIGITS.__contains__, text))


def luhn(text: str) -> bool:
    """Whether the digits of ``text`` end with their Luhn check digit."""
    total = 0
    for place, figure in enumerate(reversed(digits(text))):
        value = int(figure) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card(text: str) -> bool:
    """Whether it may be a payment card's number."""
    return _CARD_DIGITS[0] <= len(digits(text)) <= _CARD_DIGITS[1] and luhn(text)


def npi(text: str) -> bool:
    """Whether it may be a National Provider Identifier."""
    return len(digits(text)) == _NPI_DIGITS and luhn(_NPI_PREFIX + digits(text))


def dea(text: str) -> bool:
    """Whether it may be a registration number of the Drug Enforcement Administration."""
    figures = [int(c) for c in digits(text)]
    if len(figures) != _DEA_DIGITS:
        return False
    return (sum(figures[0:6:2]) + 2 * sum(figures[1:6:2])) % 10 == figures[6]


def iban(text: str) -> bool:
    """Whether it is an International Bank Account Number."""
    whole = "".join(c for c in text.upper() if c.isascii() and c.isalnum())
    if not 15 <= len(whole) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in whole[4:] + whole[:4])) % 97 == 1
