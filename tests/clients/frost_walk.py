"""Walks a SensorThings service with Fraunhofer's frost-sta-client and prints what it found as JSON; run by `tests/system/test_clients.py`."""

import json
import sys

import frost_sta_client as fsc

service = fsc.SensorThingsService(sys.argv[1])
datastreams = list(service.datastreams().query().expand("Thing,Sensor,ObservedProperty").filter("name eq 'air'").list())
(air,) = datastreams
query = air.get_observations().query().orderby("phenomenonTime", "desc").top(50).count()
pages = query.list()
walked = list(pages)
after = (
    air.get_observations()
    .query()
    .filter("phenomenonTime ge 2026-03-01T01:00:00Z and phenomenonTime lt 2026-03-01T02:00:00Z")
    .list()
)
found = {
    "thing": air.thing.name,
    "property": air.observed_property.name,
    "sensor": air.sensor.name,
    "counted": pages.count,
    "walked": len({one.id for one in walked}),
    "newest first": [one.phenomenon_time for one in walked]
    == sorted((one.phenomenon_time for one in walked), reverse=True),
    "an hour": len(list(after)),
    "places": len(list(service.locations().query().list())),
    "by id": service.observations().find(walked[0].id).result == walked[0].result,
}
print(json.dumps(found))
