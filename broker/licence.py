"""Terms of an offer, and the licences known by name. Pure.

A licence is an SPDX id (https://spdx.org/licenses/) or any URI; the open ones are known with their own page and with the
EU authority table's URI, which is what DCAT-AP asks for
(https://op.europa.eu/en/web/eu-vocabularies/dataset/-/resource?uri=http://publications.europa.eu/resource/dataset/licence).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from broker.errors import Refused
from broker.times import SECOND

_AUTHORITY = "http://publications.europa.eu/resource/authority/licence/"

_CC = "https://creativecommons.org/"


@dataclass(frozen=True, slots=True)
class Known:
    """A licence that is known by name."""

    name: str
    page: str
    """Its own."""
    authority: str | None
    """The EU authority table's URI, where it has one."""
    open: bool = True
    """Whether anyone may use, change and share it for any purpose (https://opendefinition.org/od/2.1/en/)."""


KNOWN = {
    "CC-BY-4.0": Known("Creative Commons Attribution 4.0", _CC + "licenses/by/4.0/", _AUTHORITY + "CC_BY_4_0"),
    "CC-BY-NC-4.0": Known(
        "Creative Commons Attribution-NonCommercial 4.0",
        _CC + "licenses/by-nc/4.0/",
        _AUTHORITY + "CC_BYNC_4_0",
        open=False,
    ),
    "CC0-1.0": Known("Creative Commons Zero 1.0", _CC + "publicdomain/zero/1.0/", _AUTHORITY + "CC0"),
    "ODbL-1.0": Known(
        "Open Database License 1.0", "https://opendatacommons.org/licenses/odbl/1-0/", _AUTHORITY + "ODC_BL"
    ),
    "etalab-2.0": Known("Licence Ouverte 2.0", "https://www.etalab.gouv.fr/licence-ouverte-open-licence/", None),
}
"""By SPDX id."""
_BY_NAME = {known.name.casefold(): spdx for spdx, known in KNOWN.items()}


HighValue: TypeAlias = Literal["geospatial", "environment", "meteorological", "statistics", "companies", "mobility"]
"""The categories of high-value datasets (Directive (EU) 2019/1024, annex I)."""

HIGH_VALUE = ("CC0-1.0", "CC-BY-4.0", "etalab-2.0")
"""Licences that such a one may have: CC BY 4.0, or what asks for no more."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one agreement may be delivered in a calendar day or month (UTC), live and history together."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    per: Literal["day", "month"]
    records: int | None = None
    bytes: int | None = None
    """Of messages and answers as they are written, without what transports add."""

    def period(self, now: int) -> tuple[int, int]:
        """The period that `now` falls in: its beginning, and the beginning of the next (ns since 1970)."""
        day = dt.datetime.fromtimestamp(now // SECOND, dt.UTC).replace(hour=0, minute=0, second=0)
        begin = day if self.per == "day" else day.replace(day=1)
        end = begin + dt.timedelta(days=1)
        if self.per == "month":
            end = (begin + dt.timedelta(days=31)).replace(day=1)
        return int(begin.timestamp()) * SECOND, int(end.timestamp()) * SECOND


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an offer may be used. The same for everyone: no field names who may accept."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    licence: str
    """SPDX id or URI."""
    attribution: str
    purposes: tuple[str, ...]
    """("any",), or the purposes that are permitted."""
    access: Literal["click", "open"] = "click"
    """`click`: an agreement, made in one call. `open`: neither key nor agreement."""
    expires: int | None = None
    """ns since 1970; from then on nothing is released under these terms."""
    redistribution: bool | None = None
    price: str | None = None
    """A statement of cost; stated, not collected."""
    quota: Quota | None = None
    justification: str | None = None
    """Why purposes are restricted: published, for everyone to judge."""
    approval: Literal["automatic", "manual"] = "automatic"
    """`manual`: the owner decides on each request, by its published criteria."""
    criteria: tuple[str, ...] = ()
    """What a request is decided by; a refusal names the one that failed."""
    high_value: HighValue | None = None
    """Whether its owner gives it as a high-value dataset (Regulation (EU) 2023/138), and of which category."""

    def permits(self, purpose: str) -> bool:
        return "any" in self.purposes or purpose in self.purposes


def canonical(licence: str) -> str:
    """A licence as it is written: its SPDX id in SPDX's spelling, or its URI. Raises Refused."""
    if licence.casefold() in _BY_NAME:
        return _BY_NAME[licence.casefold()]
    parts = urlsplit(licence)
    if parts.scheme in ("http", "https", "urn") and (parts.netloc or parts.path) and " " not in licence:
        return licence
    try:
        found = canonicalize_license_expression(licence)
    except InvalidLicenseExpression:
        found = None
    if found is None or " " in found or found.startswith("LicenseRef-"):
        raise Refused("unknown_licence", f"licence: expected one SPDX id, such as {', '.join(KNOWN)}, or a URI")
    return str(found)


def uri(licence: str) -> str:
    """A URI for a licence: the EU authority's where it has one, else the licence's page, SPDX's or its own."""
    known = KNOWN.get(licence)
    if known is not None:
        return known.authority or known.page
    return licence if ":" in licence else f"https://spdx.org/licenses/{licence}"


def duties(terms: Terms) -> tuple[str, ...]:
    """What whoever uses it must do or leave, in sentences: stated, since no software can enforce it."""
    passed_on = {
        None: "Whether it may be passed on is as the licence says.",
        True: "It may be passed on.",
        False: "It must not be passed on.",
    }
    return f"Name the source: {terms.attribution}.", passed_on[terms.redistribution]
