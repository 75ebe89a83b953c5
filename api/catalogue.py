"""The offers as a DCAT catalogue in JSON-LD. Pure. https://www.w3.org/TR/vocab-dcat-3/"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from broker import licence
from broker.model import Offer, Organisation

Document: TypeAlias = dict[str, object]

CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geojson": "https://purl.org/geojson/vocab#",
}


def catalogue(base: str, offers: Iterable[Offer], organisations: Mapping[str, Organisation]) -> Document:
    """A Catalog with a Dataset an offer. `base`: the address that this broker is reached at, without a slash at its end."""
    return {
        "@context": CONTEXT,
        "@id": f"{base}/catalog.jsonld",
        "@type": "dcat:Catalog",
        "dct:title": "Mitoyen",
        "dct:description": "Datastreams that are offered here, each under the licence that it names.",
        "dcat:dataset": [_dataset(base, offer, organisations.get(offer.organisation)) for offer in offers],
    }


def _dataset(base: str, offer: Offer, publisher: Organisation | None) -> Document:
    licensed = {"@id": licence.uri(offer.terms.licence)}
    themes = sorted({r.datastream.theme for r in offer.releases if r.datastream.theme})
    properties = sorted({r.datastream.observed_property or r.datastream.id for r in offer.releases})
    return {
        "@id": f"{base}/api/v1/offers/{offer.id}",
        "@type": "dcat:Dataset",
        "dct:identifier": offer.id,
        "dct:title": f"{', '.join(properties[:5])} ({offer.profile.name})",
        "dct:publisher": {
            "@type": "foaf:Organization",
            "foaf:name": publisher.name if publisher else offer.organisation,
            **({"foaf:homepage": {"@id": publisher.homepage}} if publisher and publisher.homepage else {}),
        },
        "dcat:keyword": themes,
        "dct:license": licensed,
        "dcat:distribution": [
            {
                "@id": f"{base}/api/v1/releases/{release.id}/observations",
                "@type": "dcat:Distribution",
                "dct:title": release.datastream.id,
                "dcat:accessURL": {"@id": f"{base}/api/v1/releases/{release.id}/observations"},
                "dct:license": licensed,
            }
            for release in offer.releases
        ],
    }
