#!/bin/sh
# An open offer, its history as CSV and its live stream, with curl alone.
set -eu
BROKER=${BROKER:-http://127.0.0.1:8080}
at="$BROKER/api/v1/releases/$RELEASE"

curl -sSf "$BROKER/catalog.ttl" | grep -m 1 'dcat:Catalog' # what there is, for machines
curl -sSf "$at/latest"
echo
curl -sSf "$at/observations?format=csv&limit=5"
curl -sSf "$BROKER/v1.1/Datastreams?\$filter=properties/release%20eq%20'$RELEASE'&\$select=name,unitOfMeasurement"
echo
curl -sSN --max-time "${SECONDS_LIVE:-3}" "$at/live" || [ $? -eq 28 ] # 28: the time is up
