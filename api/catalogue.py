"""The offers as a DCAT-AP 3 catalogue in JSON-LD. Pure. https://semiceu.github.io/DCAT-AP/releases/3.0.1/

What comes from a controlled vocabulary is written with its class, so that a reader that can't fetch the vocabulary still knows what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from api import odrl
from broker import licence
from broker.licence import HighValue
from broker.model import Offer, Organisation, Release
from broker.place import Place
from broker.privacy.location import place_of
from broker.privacy.profile import Aggregate, RoundTime, Sample

Document: TypeAlias = dict[str, object]

DATASETS_A_PAGE = 1_000
"""A catalogue of more is paged with Hydra (https://www.hydra-cg.com/spec/latest/core/)."""
_AUTHORITY = "http://publications.europa.eu/resource/authority/"
_LEGISLATION = "http://data.europa.eu/eli/reg_impl/2023/138/oj"
_HIGH_VALUE: Mapping[HighValue, str] = {
    "companies": "c_a9135398",
    "environment": "c_dd313021",
    "geospatial": "c_ac64a52d",
    "meteorological": "c_164e0bf5",
    "mobility": "c_b79e35eb",
    "statistics": "c_e1da4e07",
}
"""The EU's table of high-value categories (http://data.europa.eu/bna/asd487ae75)."""
CONTEXT: Document = {
    **odrl.CONTEXT,
    "dcatap": "http://data.europa.eu/r5r/",
    "eli": "http://data.europa.eu/eli/ontology#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "gsp": "http://www.opengis.net/ont/geosparql#",
}
THEMES = {
    "air quality": "ENVI",
    "noise": "ENVI",
    "weather": "ENVI",
    "environment": "ENVI",
    "traffic": "TRAN",
    "parking": "TRAN",
    "mobility": "TRAN",
    "transport": "TRAN",
    "energy": "ENER",
    "health": "HEAL",
}
"""The themes of owners that the EU's table of data themes has; any other is a keyword."""
_FORMATS = {"json": "JSON", "csv": "CSV", "parquet": "PARQUET", "geojson": "GEOJSON"}
"""Of history, as the EU's table of file types names them; a camera has none, but its last picture."""


def catalogue(
    base: str, offers: Sequence[Offer], organisations: Mapping[str, Organisation], page: int = 1, of: int | None = None
) -> Document:
    """A Catalog with a Dataset an offer: one page of `of` offers in all. `base`: the broker's address without a slash at its end."""
    last = max(1, -(-(len(offers) if of is None else of) // DATASETS_A_PAGE))
    return {
        "@context": CONTEXT,
        "@id": f"{base}/catalog.jsonld",
        "@type": ["dcat:Catalog", *(["hydra:Collection"] if last > 1 else [])],
        "dct:title": "Mitoyen",
        "dct:description": "Datastreams that are offered here, each under the licence that it names.",
        "dct:publisher": _agent(f"{base}/#operator", "The operator of this broker", None),
        "dcat:service": _services(base),
        "dcat:dataset": [_dataset(base, offer, organisations.get(offer.organisation)) for offer in offers],
        **(_view(base, page, last, of or 0) if last > 1 else {}),
    }


def _view(base: str, page: int, last: int, total: int) -> Document:
    def at(number: int) -> Document:
        return {"@id": f"{base}/catalog.jsonld?page={number}"}

    view: Document = {**at(page), "@type": "hydra:PartialCollectionView", "hydra:first": at(1), "hydra:last": at(last)}
    if page > 1:
        view["hydra:previous"] = at(page - 1)
    if page < last:
        view["hydra:next"] = at(page + 1)
    return {"hydra:totalItems": total, "hydra:view": view}


def _services(base: str) -> list[Document]:
    described = {
        "history": (f"{base}/api/v1", f"{base}/openapi.json", "History and live streams over HTTP"),
        "sensorthings": (f"{base}/v1.1", f"{base}/v1.1", "OGC SensorThings API 1.1"),
    }
    return [
        {
            "@id": f"{base}/#{name}",
            "@type": "dcat:DataService",
            "dct:title": title,
            "dcat:endpointURL": {"@id": endpoint},
            "dcat:endpointDescription": {"@id": description},
        }
        for name, (endpoint, description, title) in described.items()
    ]


def _dataset(base: str, offer: Offer, publisher: Organisation | None) -> Document:
    address = f"{base}/api/v1/offers/{offer.id}"
    properties = sorted({r.datastream.observed_property or r.datastream.id for r in offer.releases})
    themes = sorted({r.datastream.theme for r in offer.releases if r.datastream.theme})
    title = f"{', '.join(properties[:5])} ({offer.profile.name})"
    name = publisher.name if publisher else offer.organisation
    return {
        "@id": address,
        "@type": "dcat:Dataset",
        "dct:identifier": offer.id,
        "dct:title": title,
        "dct:description": _described(offer, name),
        "dct:publisher": _agent(f"{base}/api/v1/organisations/{offer.organisation}", name, publisher),
        **_contact(address, publisher),
        "dcat:keyword": [theme for theme in themes if theme.lower() not in THEMES],
        "dcat:theme": [
            _concept("data-theme", code) for code in sorted({THEMES[t.lower()] for t in themes if t.lower() in THEMES})
        ],
        "dct:accrualPeriodicity": _of("frequency", "UPDATE_CONT", "dct:Frequency"),
        "dct:accessRights": _of(
            "access-right", "PUBLIC" if offer.terms.access == "open" else "RESTRICTED", "dct:RightsStatement"
        ),
        **_high_value(offer),
        **_resolution(offer),
        **_spatial(address, offer),
        "odrl:hasPolicy": odrl.policy(base, offer),
        "dcat:distribution": [one for release in offer.releases for one in _distributions(base, offer, release)],
    }


def _high_value(offer: Offer) -> Document:
    """How DCAT-AP marks it: https://semiceu.github.io/DCAT-AP/releases/3.0.0-hvd/"""
    category = offer.terms.high_value
    if category is None:
        return {}
    return {
        "dcatap:hvdCategory": {
            "@id": f"http://data.europa.eu/bna/{_HIGH_VALUE[category]}",
            "@type": "skos:Concept",
            "skos:prefLabel": category,
        },
        **_obliged(offer),
    }


def _obliged(offer: Offer) -> Document:
    law = {"@id": _LEGISLATION, "@type": "eli:LegalResource"}
    return {"dcatap:applicableLegislation": law} if offer.terms.high_value else {}


def _described(offer: Offer, name: str) -> str:
    words = [one.datastream.description for one in offer.releases if one.datastream.description]
    return words[0] if words else f"What {name} observes, as its offer {offer.id} shows it"


def _distributions(base: str, offer: Offer, release: Release) -> Iterable[Document]:
    path = f"{base}/api/v1/releases/{release.id}"
    if release.datastream.kind == "camera":
        yield _distribution(base, offer, release, f"{path}/latest", "jpeg", "JPEG")
        return
    for name, code in _FORMATS.items():
        yield _distribution(base, offer, release, f"{path}/observations?format={name}", name, code)


def _distribution(base: str, offer: Offer, release: Release, address: str, name: str, code: str) -> Document:
    return {
        "@id": address,
        "@type": "dcat:Distribution",
        "dct:title": f"{release.datastream.id} as {name}",
        "dcat:accessURL": {"@id": address},
        "dcat:accessService": {"@id": f"{base}/#history"},
        "dct:format": _of("file-type", code, "dct:MediaTypeOrExtent"),
        "dct:license": {"@id": licence.uri(offer.terms.licence), "@type": "dct:LicenseDocument"},
        **_obliged(offer),
    }


def _agent(address: str, name: str, known: Organisation | None) -> Document:
    homepage = {"foaf:homepage": {"@id": known.homepage, "@type": "foaf:Document"}} if known and known.homepage else {}
    return {"@id": address, "@type": "foaf:Agent", "foaf:name": name, **homepage}


def _contact(address: str, publisher: Organisation | None) -> Document:
    if publisher is None or not publisher.contact:
        return {}
    contact: Document = {
        "@id": f"{address}#contact",
        "@type": ["vcard:Kind", "vcard:Organization"],
        "vcard:fn": publisher.name,
    }
    if "@" in publisher.contact and " " not in publisher.contact:
        return {"dcat:contactPoint": {**contact, "vcard:hasEmail": {"@id": f"mailto:{publisher.contact}"}}}
    return {"dcat:contactPoint": {**contact, "vcard:note": publisher.contact}}


def _resolution(offer: Offer) -> Document:
    """How far apart observations lie in time, where the profile says so."""
    for operator in offer.profile.operators:
        match operator:
            case Aggregate(window=length) | Sample(every=length) | RoundTime(to=length):
                return {"dcat:temporalResolution": {"@value": length, "@type": "xsd:duration"}}
            case _:
                continue
    return {}


def _spatial(address: str, offer: Offer) -> Document:
    """The box around all its places, as precisely as its profile says them."""
    places = [p for p in (place_of(r.datastream, offer.profile) for r in offer.releases) if isinstance(p, Place)]
    if not places:
        return {}
    west, east = (pick(p.longitude for p in places) for pick in (min, max))
    south, north = (pick(p.latitude for p in places) for pick in (min, max))
    corners = ", ".join(
        f"{x} {y}" for x, y in ((west, south), (east, south), (east, north), (west, north), (west, south))
    )
    box = {"@value": f"POLYGON(({corners}))", "@type": "gsp:wktLiteral"}
    return {"dct:spatial": {"@id": f"{address}#places", "@type": "dct:Location", "dcat:bbox": box}}


def _of(table: str, code: str, kind: str) -> Document:
    return {"@id": f"{_AUTHORITY}{table}/{code}", "@type": kind}


def _concept(table: str, code: str) -> Document:
    return {**_of(table, code, "skos:Concept"), "skos:prefLabel": code}
