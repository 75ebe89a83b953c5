"""Reads an OGC API Features and EDR server with OWSLib, and prints what it found as JSON; run by `tests/system/test_examples.py`."""

import json
import os
import sys
import time
import urllib.request

from owslib.ogcapi.edr import EnvironmentalDataRetrieval
from owslib.ogcapi.features import Features

address = sys.argv[1]
until = time.monotonic() + 60
while True:
    try:
        urllib.request.urlopen(address).close()
        break
    except OSError:
        if time.monotonic() > until:
            raise
        time.sleep(0.2)

features = Features(address)
datastreams = features.collection_items("datastreams")["features"]
observations = features.collection_items("observations", limit=50)
matched = features.collection_items("observations", resulttype="hits")["numberMatched"]
edr = EnvironmentalDataRetrieval(address)
with urllib.request.urlopen(f"{address}/collections/properties/locations?f=json") as answer:
    locations = json.load(answer)["features"]
with urllib.request.urlopen(f"{address}/collections/properties/locations/{locations[0]['id']}?f=json") as answer:
    coverage = json.load(answer)
found = {
    "datastreams": [one["properties"]["name"] for one in datastreams],
    "at": datastreams[0]["geometry"]["coordinates"],
    "observations": len(observations["features"]),
    "matched": matched,
    "series": coverage["type"] in ("CoverageCollection", "Coverage")
    and "properties" in [c["id"] for c in edr.collections()["collections"]],
}
print(os.linesep + json.dumps(found))
