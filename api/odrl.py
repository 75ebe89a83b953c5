"""Terms as ODRL policies: what is enforced, said in the vocabulary that other people's software reads. Pure.

Generated from the terms that decide (`broker/access.py`) and never read back: ODRL describes here, it does not decide.
https://www.w3.org/TR/odrl-model/, https://www.w3.org/TR/odrl-vocab/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from broker import licence, times
from broker.licence import Terms
from broker.model import Agreement, Offer

Document: TypeAlias = dict[str, object]

CONTEXT: Document = {
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""Written into each document, so that nothing has to be fetched to read it."""
JSON_LD = "application/ld+json"
SHARE_ALIKE = frozenset({"ODbL-1.0", "CC-BY-SA-4.0"})
"""Licences under which what is made of the data is shared under the same."""


def wanted(accept: str) -> bool:
    """Whether an `Accept` header asks for it rather than for plain JSON."""
    return JSON_LD in accept and "application/json" not in accept


def offer(base: str, of: Offer) -> Document:
    """An offer as an ODRL Offer. `base`: the broker's address without a slash at its end."""
    return {"@context": CONTEXT, **policy(base, of)}


def offers(base: str, of: Iterable[Offer]) -> Document:
    """Several offers in one graph."""
    return {"@context": CONTEXT, "@graph": [policy(base, one) for one in of]}


def agreement(base: str, of: Agreement, on: Offer) -> Document:
    """An agreement as an ODRL Agreement: the terms of the version that it is on, between these two, for its purpose."""
    parties: Document = {
        "odrl:assigner": _organisation(base, on.organisation),
        "odrl:assignee": {"@id": f"{base}/api/v1/applications/{of.application}"},
    }
    return {
        "@context": CONTEXT,
        "@id": f"{base}/api/v1/agreements/{of.id}",
        "@type": "odrl:Agreement",
        "dct:isVersionOf": {"@id": _offer(base, on)},
        **_rules(base, on, of.terms, parties, (of.purpose,)),
    }


def policy(base: str, of: Offer) -> Document:
    """The ODRL Offer without its context, to stand within another document."""
    assigner: Document = {"odrl:assigner": _organisation(base, of.organisation)}
    purposes = () if "any" in of.terms.purposes else of.terms.purposes
    return {
        "@id": f"{_offer(base, of)}#policy",
        "@type": "odrl:Offer",
        **_rules(base, of, of.terms, assigner, purposes),
    }


def _rules(base: str, of: Offer, terms: Terms, parties: Document, purposes: tuple[str, ...]) -> Document:
    target: Document = {"odrl:target": {"@id": _offer(base, of)}}
    permission = {
        **target,
        **parties,
        "odrl:action": {"@id": "odrl:use"},
        "odrl:duty": list(_duties(terms)),
        **_of_any("odrl:constraint", list(_constraints(terms, purposes))),
    }
    forbidden = {**target, **parties, "odrl:action": {"@id": "odrl:distribute"}}
    return {
        "dct:license": {"@id": licence.uri(terms.licence)},
        "odrl:permission": [permission],
        **({"odrl:prohibition": [forbidden]} if terms.redistribution is False else {}),
    }


def _duties(terms: Terms) -> Iterable[Document]:
    yield {"odrl:action": {"@id": "odrl:attribute"}, "dct:description": terms.attribution}
    if terms.licence in SHARE_ALIKE:
        yield {"odrl:action": {"@id": "odrl:shareAlike"}}
    if terms.price is not None:
        yield {"odrl:action": {"@id": "odrl:compensate"}, "dct:description": terms.price}


def _constraints(terms: Terms, purposes: tuple[str, ...]) -> Iterable[Document]:
    if purposes:
        more = {"dct:description": terms.justification} if terms.justification else {}
        yield {**_constraint("purpose", "isAnyOf", {"@list": list(purposes)}), **more}
    if terms.expires is not None:
        yield _constraint("dateTime", "lt", {"@value": times.text(terms.expires), "@type": "xsd:dateTime"})
    quota = terms.quota
    if quota is not None and quota.records is not None:
        yield {**_constraint("count", "lteq", quota.records), "dct:description": f"records a {quota.per}"}
    if quota is not None and quota.bytes is not None:
        yield {**_constraint("absoluteSize", "lteq", quota.bytes), "dct:description": f"bytes a {quota.per}"}


def _constraint(left: str, operator: str, right: object) -> Document:
    return {
        "odrl:leftOperand": {"@id": f"odrl:{left}"},
        "odrl:operator": {"@id": f"odrl:{operator}"},
        "odrl:rightOperand": right,
    }


def _of_any(name: str, found: list[Document]) -> Document:
    return {name: found} if found else {}


def _offer(base: str, of: Offer) -> str:
    return f"{base}/api/v1/offers/{of.id}"


def _organisation(base: str, name: str) -> Document:
    return {"@id": f"{base}/api/v1/organisations/{name}"}
