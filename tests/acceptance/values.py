"""What people write into fields: the longest, the emptiest, the strangest, and forms that a side may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

STATUSES = ("draft", "submitted", "in_review", "approved", "rejected", "cancelled")
COMMISSION_STATUSES = ("pending", "approved", "paid", "cancelled")

STRANGE = (
    "",
    " ",
    "\n",
    "  edges  ",
    "two\r\nlines\r\n",
    "old\rMac",
    "tab\tinside",
    "three\n\n\nlines",
    "no\u00a0break\u00a0",
    'O\'Brien "& Sons" <b>',
    "'; DROP TABLE clients; --",
    "%s {t} {{}} \\n",
    "Łódź Ωμέγα 中文",
    "🦏🇿🇼 family 👨‍👩‍👧",
    "שלום עולם",
    "\u202eright to left\u202c",
    "e\u0301 composed",
    "é",
    "NULL",
    "False",
    "0",
    "\u200bzero",
)
FORBIDDEN = ("bell\x07", "\x1b[31mred", "\x01", "lone\ufffe", "form\x0cfeed")
"""Characters that XML 1.0 has no room for: such a value stays where it is, and a person is told."""
EMAILS = (
    "Tendai.Moyo@Mail.Example",
    " edges@mail.example ",
    '"Moyo, T" <tm@mail.example>',
    "a@b",
    "not an address",
    "two@mail.example, three@mail.example",
    "",
)
PHONES = ("+27 (82) 555-0101", "082 555 0101", "0825550101 ext 5", "tel:+27825550101", "00263 242 700 100", "none", "")
TAX_NUMBERS = ("ZA4123456789", "za 4 123 456 789", " 4123456789 ", "VAT: n/a", "/", "")
COUNTRIES = ("ZA", "ZW", "zw", "GB", "XX", "", None)


Maker = Callable[[Random], Any]
"""Makes a value by chance."""


def writable(longest: int | None = None) -> Maker:
    """Texts that both databases and the wire can hold, up to `longest` characters."""
    most = longest or 2000

    def make(luck: Random) -> str:
        letters = "".join(chr(luck.choice(_LETTERS)) for _ in range(luck.randrange(min(most, 30))))
        return luck.choice((luck.choice(STRANGE), luck.choice(STRANGE), letters, "ж" * most))[:most]

    return make


def text(longest: int | None = None) -> Maker:
    """The same, and at times what cannot cross or no value at all."""
    make = writable(longest)
    return lambda luck: luck.choice((make(luck),) * 6 + (luck.choice(FORBIDDEN)[:longest], None))


def one_of(*values: Any) -> Maker:
    """One of these."""
    return lambda luck: luck.choice(values)


def either(*makers: Maker) -> Maker:
    """A value of one of these kinds."""
    return lambda luck: luck.choice(makers)(luck)


def present(make: Maker) -> Maker:
    """Where a column must hold a value."""
    return lambda luck: make(luck) or ""


def some_of(luck: Random, fields: Mapping[str, Maker]) -> dict[str, Any]:
    """Values for one or more of the fields."""
    return {name: fields[name](luck) for name in luck.sample(sorted(fields), luck.randint(1, min(5, len(fields))))}


_LETTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x250),
    *range(0x400, 0x460),
    *range(0x5D0, 0x5EB),
    *range(0x1F400, 0x1F440),
)

CLIENT = {
    "full_name": text(255),
    "company_name": text(255),
    "client_type": one_of("individual", "company"),
    "email": present(either(one_of(*EMAILS), text(255))),
    "phone": either(one_of(*PHONES), text(50)),
    "mobile": either(one_of(*PHONES), text(50)),
    "tax_number": either(one_of(*TAX_NUMBERS), text(50)),
    "street_address": text(),
    "city": text(100),
    "state_province": either(one_of("Gauteng", "GP", "nowhere"), text(100)),
    "postal_code": text(20),
    "country": one_of(*COUNTRIES),
}
"""The app's columns of a client."""

REGISTRATION = {
    "company_name": present(text(255)),
    "registration_number": text(100),
    "rejection_reason": text(),
    "cipc_reference": text(100),
    "status": one_of(*STATUSES),
}

USER = {
    "first_name": text(100),
    "last_name": text(100),
    "email": present(either(one_of(*EMAILS), text(255))),
    "phone": either(one_of(*PHONES), text(50)),
    "mobile": one_of(*PHONES, None),
    "status": one_of("active", "suspended", "deleted"),
}

IN_ODOO = {
    "name": lambda luck: writable(255)(luck).strip() or "Odoo's name",
    "email": either(one_of(*EMAILS), writable(255)),
    "phone": either(one_of(*PHONES), writable(50)),
    "tax_number": either(one_of(*TAX_NUMBERS), writable(50)),
    "street": writable(),
    "city": writable(100),
    "postal_code": writable(20),
}
"""What a person may write about a customer in Odoo, by the contract's names."""
