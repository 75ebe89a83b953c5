"""SensorThings requests and what they answer, on the graph that FROST's, OGC's and istSOS's tests are about, made by ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.sensorthings.entities import KINDS
from api.sensorthings.seeded import Seeded
from api.sensorthings.service import Service
from broker import times
from broker.errors import Malformed, NotFound

if TYPE_CHECKING:
    from api.sensorthings.service import Answer

ROOT = "http://city/v1.1"
NOW = times.parse("2026-11-22T12:00:00Z")
POINTS = [{"type": "Point", "coordinates": [8, latitude]} for latitude in (51, 52, 53, 54)]
POLYGON = {"type": "Polygon", "coordinates": [[[8, 53], [7, 52], [7, 53], [8, 53]]]}
LINES = [
    {"type": "LineString", "coordinates": line} for line in ([[5, 52], [5, 53]], [[5, 52], [6, 53]], [[4, 52], [8, 52]])
]
PLACES = [*POINTS, POLYGON, *LINES]
PLACE_NAMES = ["1.0", "1.1", "2", "3", "4", "5", "6", "7"]
OF_DATASTREAMS = [(0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 0, 0), (1, 1, 1), (1, 3, 3), (2, 1, 0)]
INSTANTS = ["06:00", "06:59", "07:00", "07:01", "07:59", "08:00", "08:01", "09:00"]
PERIODS = [
    ("06:00", "06:59"), ("06:00", "07:00"), ("06:00", "07:01"), ("07:00", "08:00"), ("07:01", "07:59"), ("07:59", "09:00"), ("08:00", "09:00"),
    ("08:01", "09:00"), ("06:59", "08:01"), ("07:00", "07:59"), ("07:00", "08:01"), ("06:59", "08:00"), ("07:01", "08:00"),
]  # fmt: skip
T700, T800 = "2016-01-01T07:00:00.000Z", "2016-01-01T08:00:00.000Z"
I700_800 = "2016-01-01T07:00:00Z/2016-01-01T08:00:00Z"


def _at(clock: str, year: int = 2016) -> str:
    return f"{year}-01-01T{clock}:00Z"


def _observations() -> list[dict[str, Any]]:
    of_instants = [{"phenomenonTime": _at(clock), "resultTime": _at(clock)} for clock in INSTANTS]
    of_periods = [{"phenomenonTime": p, "validTime": p} for p in (f"{_at(a)}/{_at(b)}" for a, b in PERIODS)]
    early, late = _at("06:00", 2015), _at("09:00", 2017)
    further = [{"phenomenonTime": t, "resultTime": t} for t in (early, late)]
    for start, end, year, result in (("06:00", "07:00", 2015, "06:00"), ("09:00", "10:00", 2017, "10:00")):
        period = f"{_at(start, year)}/{_at(end, year)}"
        further.append({"phenomenonTime": period, "validTime": period, "resultTime": _at(result, year)})
    return [{**one, "result": n} for n, one in enumerate([*of_instants, *of_periods, *further])]


@pytest.fixture(scope="module")
def seeded() -> Seeded:
    made = Seeded()

    def post(kind: str, **body: Any) -> dict[str, int]:
        return {"@iot.id": made.create(KINDS[kind], body, NOW).id}

    geo = {"encodingType": "application/geo+json", "description": "where"}
    locations = [
        post("Locations", name=f"Location {n}", location=p, **geo) for n, p in zip(PLACE_NAMES, PLACES, strict=True)
    ]
    things = []
    for number in range(1, 5):
        more: dict[str, Any] = {}
        if number in (2, 3):
            names = {2: "one", 3: "two"}
            more["properties"] = {
                "field": number, "string": names[number], "tags": ["air"], "intArray": [number, number + 10], "flag": number == 2,
            }  # fmt: skip
        own = locations[0:2] if number == 1 else [locations[number]]
        things.append(post("Things", name=f"Thing {number}", description="a thing", Locations=own, **more))
    text = {"encodingType": "text/plain", "description": "a sensor", "metadata": "none"}
    sensors = [post("Sensors", name=f"Sensor {n}", **text) for n in range(4)]
    properties = [
        post("ObservedProperties", name=f"ObservedProperty {n}", definition="urn:x", description="observed")
        for n in range(4)
    ]
    features = [post("FeaturesOfInterest", name=f"FoI {n}", feature=p, **geo) for n, p in enumerate(PLACES)]
    datastreams = []
    for number, (thing, sensor, observed) in enumerate(OF_DATASTREAMS):
        symbol = "°F" if number == 0 else "Cel"
        datastreams.append(
            post(
                "Datastreams",
                name=f"Datastream {number}",
                description="a datastream",
                observationType="OM_Measurement",
                unitOfMeasurement={"name": symbol, "symbol": symbol, "definition": "ucum"},
                Thing=things[thing],
                Sensor=sensors[sensor],
                ObservedProperty=properties[observed],
            )
        )
    for number, one in enumerate(_observations()):
        quality = {"resultQuality": number} if number in (2, 3) else {}
        post("Observations", **one, **quality, Datastream=datastreams[1], FeatureOfInterest=features[number % 8])
    for day in range(12):
        when = f"2015-03-{day + 1:02d}T00:00:00Z"
        post("Observations", phenomenonTime=when, resultTime=when, result=day + 1,
             Datastream=datastreams[2 + day % 4], FeatureOfInterest=features[0])  # fmt: skip
    return made


@pytest.fixture
def service(seeded: Seeded) -> Service:
    return Service(seeded.graph(), ROOT, NOW)


def get(service: Service, address: str) -> Any:
    path, _, query = address.partition("?")
    answer: Answer = service.answer(path, query.replace("+", "%2B"))
    return json.loads(json.dumps(answer.body)) if isinstance(answer.body, dict) else answer.body


def found(service: Service, address: str) -> list[int]:
    """Zero-based positions of what is answered."""
    return sorted(one["@iot.id"] - 1 for one in get(service, address + "&$top=1000")["value"])


def test_the_root_lists_the_eight_sets_and_what_is_conformed_to(service: Service) -> None:
    root = get(service, "")
    assert [one["name"] for one in root["value"]] == list(KINDS)
    assert all(one["url"] == f"{ROOT}/{one['name']}" for one in root["value"])
    assert all(
        uri.startswith("http://www.opengis.net/spec/iot_sensing/1.1/req/")
        for uri in root["serverSettings"]["conformance"]
    )


@pytest.mark.parametrize("name", KINDS)
def test_every_entity_has_its_control_information_and_what_is_mandatory(service: Service, name: str) -> None:
    kind = KINDS[name]
    for one in get(service, f"{name}?$top=1000")["value"]:
        assert one["@iot.selfLink"] == f"{ROOT}/{name}({one['@iot.id']})"
        assert kind.mandatory <= one.keys()
        assert {f"{relation}@iot.navigationLink" for relation in kind.relations} <= one.keys()
    with pytest.raises(NotFound):
        get(service, f"{name}(9223372036854775807)")


def test_addresses_lead_to_fields_relations_and_what_lies_in_a_field(service: Service) -> None:
    assert get(service, "Datastreams(1)/name") == {"name": "Datastream 0"}
    assert get(service, "Datastreams(1)/name/$value") == "Datastream 0"
    assert get(service, "Things(2)/properties/field") == {"field": 2}
    assert get(service, "Things(2)/properties/intArray[1]/$value") == "12"
    assert get(service, "Things(1)/properties") is None
    assert get(service, "Things(1)/Datastreams/$ref")["value"][0] == {"@iot.selfLink": f"{ROOT}/Datastreams(1)"}
    assert get(service, "Datastreams(1)/Thing/$ref") == {"@iot.selfLink": f"{ROOT}/Things(1)"}
    assert get(service, "Observations(9)")["resultTime"] is None


@pytest.mark.parametrize(
    "address", ["Room", "Things(1)/Datastreams(4)", "Things(1)/nope", "Things(1)/$value", "Things(-1)", "Things/name"]
)
def test_what_is_not_there_is_not_found(service: Service, address: str) -> None:
    with pytest.raises(NotFound):
        get(service, address)


@pytest.mark.parametrize(
    "query",
    [
        "$select=nope", "$expand=Nope", "$top=-1", "$top=x", "$nope=1", "$filter=add and eq 1", "$filter=foo(name) eq 1",
        "$filter=nope eq 1", "$filter=name eq 'x", "$filter=(name eq 'x'", "$orderby=nope", "$count=perhaps", "$expand=Datastreams($top=x)",
        "$resultFormat=xml", "$filter=" + "(" * 200 + "1", "$filter=name/any(n: n eq 1)", "$filter=startswith(name)", "top",
    ],
)  # fmt: skip
def test_what_can_not_be_understood_is_said(service: Service, query: str) -> None:
    with pytest.raises(Malformed):
        get(service, f"Things?{query}")


def test_selecting_and_expanding(service: Service) -> None:
    (first, *_) = get(service, "Things?$select=name,Datastreams")["value"]
    assert first == {"name": "Thing 1", "Datastreams@iot.navigationLink": f"{ROOT}/Things(1)/Datastreams"}
    expanded = get(service, "Datastreams(1)?$expand=Thing,Sensor,ObservedProperty")
    assert expanded["Thing"]["name"] == "Thing 1"
    assert "Thing@iot.navigationLink" not in expanded
    assert "Observations@iot.navigationLink" in expanded
    two = get(service, "Things?$expand=Datastreams/Sensor,Datastreams/ObservedProperty")["value"][0]
    assert {"Sensor", "ObservedProperty"} <= two["Datastreams"][0].keys()
    nested = get(
        service, "Datastreams(2)?$expand=Observations($top=1;$orderby=phenomenonTime desc;$count=true;$select=result)"
    )
    assert nested["Observations"] == [{"result": 24}]
    assert nested["Observations@iot.count"] == 25
    assert nested["Observations@iot.nextLink"].startswith(f"{ROOT}/Datastreams(2)/Observations?$top=1&")


def test_pages_go_on_without_losing_or_doubling_one(service: Service) -> None:
    first = get(service, "Things?$top=1")
    assert len(first["value"]) == 1
    assert "$skip=1" in first["@iot.nextLink"]
    assert "@iot.nextLink" not in get(service, "Things?$top=4")
    assert get(service, "Things?$skip=12") == {"value": []}
    assert "@iot.count" not in get(service, "Things?$count=false")
    assert get(service, "Locations?$top=0&$count=true") == {"@iot.count": 8, "value": []}


@pytest.mark.parametrize(
    "query", ["$orderby=phenomenonTime desc", "$orderby=phenomenonTime", "$orderby=@iot.id desc", "$orderby=result", ""]
)
@pytest.mark.parametrize("size", [1, 5, 36])
def test_observations_page_in_their_order(service: Service, query: str, size: int) -> None:
    whole = get(service, f"Observations?{query}&$top=1000")["value"]
    assert len(whole) == 37
    seen, link = [], f"{ROOT}/Observations?$top={size}&{query}"
    while link:
        assert link.startswith(f"{ROOT}/Observations?$top={size}")
        page = get(service, link.removeprefix(f"{ROOT}/"))
        seen += page["value"]
        link = page.get("@iot.nextLink")
    assert [one["@iot.id"] for one in seen] == [one["@iot.id"] for one in whole]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Things?$filter=Locations/name eq 'Location 2'", [1]),
        ("Things?$filter=startswith(HistoricalLocations/Locations/name, 'Location 1')", [0]),
        ("ObservedProperties?$filter=Datastreams/Thing/Datastreams/ObservedProperty/name eq 'ObservedProperty 3'", [0, 1, 3]),
        ("Things?$filter=properties/field eq null", [0, 3]),
        ("Things?$filter=properties/field ne null", [1, 2]),
        ("Things?$filter=Datastreams/id eq null", [3]),
        ("Things?$filter=Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty 0' and d/Sensor/name eq 'Sensor 1')", [2]),
        ("Observations?$filter=resultQuality eq 2", [2]),
        ("Datastreams?$filter=unitOfMeasurement/symbol eq '°F'", [0]),
        ("Things?$filter=name in ('Thing 1','Thing 4')", [0, 3]),
        ("Things?$filter='air' in properties/tags", [1, 2]),
        ("Things?$filter=properties/intArray[1] eq 13", [2]),
        ("Things?$filter=properties/flag", [1]),
        ("Things?$filter=name eq 'it''s'", []),
        ("Things?$filter=not properties/field eq 2", [2]),
        ("Things?$filter=tolower(name) eq 'thing 1' or indexof(name,'4') eq 7", [0, 3]),
        ("Datastreams?$filter=Observations/result gt 20", [1]),
    ],
)  # fmt: skip
def test_filters_of_logic_text_relations_and_json(service: Service, address: str, expected: list[int]) -> None:
    assert found(service, address) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result eq 2 and result eq 1 or result eq 1", [1]),
        ("result eq 2 and (result eq 1 or result eq 1)", []),
        ("not result lt 1 and not result gt 1", [1]),
        ("1 add result mul 2 sub -1 eq 4", [1]),
        ("6 div 2 sub result eq 2", [1]),
        ("1 add 2.0 mod (result add 1) eq 1", [1]),
        ("14 div (result add 1) mod 3 mul 3 eq 3", [1]),
    ],
)
def test_operators_bind_as_the_standard_says(condition: str, expected: list[int]) -> None:
    seeded = Seeded()
    body = {
        "name": "T",
        "description": "t",
        "Locations": [{"name": "L", "description": "l", "encodingType": "x", "location": POINTS[0]}],
    }
    sensor = {"name": "S", "description": "s", "encodingType": "x", "metadata": "m"}
    observed = {"name": "O", "definition": "d", "description": "o"}
    seeded.create(
        KINDS["Datastreams"],
        {
            "name": "D", "description": "d", "observationType": "x", "unitOfMeasurement": {}, "Thing": body, "Sensor": sensor,
            "ObservedProperty": observed, "Observations": [{"result": n} for n in (1, 2, 3)],
        },
        NOW,
    )  # fmt: skip
    answer = get(Service(seeded.graph(), ROOT, NOW), f"Datastreams(1)/Observations?$filter={condition}")
    assert [one["result"] for one in answer["value"]] == expected


def test_a_quoted_literal_is_compared_as_text(service: Service) -> None:
    span = "phenomenonTime ge 2015-03-01T00:00:00Z and phenomenonTime lt 2015-04-01T00:00:00Z"
    answer = get(
        service, f"Observations?$count=true&$top=1&$skip=2&$orderby=phenomenonTime asc&$filter={span} and result gt '3'"
    )
    assert answer["@iot.count"] == 6
    assert [one["result"] for one in answer["value"]] == [6]


BOX = "geography'POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))'"
POINT_TYPE = "location/type eq 'Point' or location/geometry/type eq 'Point'"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Locations?$filter=geo.distance(location, geography'POINT(8 54.1)') lt 1", [3]),
        ("Locations?$filter=geo.intersects(location, geography'LINESTRING(7.5 51, 7.5 54)')", [4, 7]),
        ("Locations?$filter=geo.length(location) gt 1", [6, 7]),
        ("Locations?$filter=st_equals(location, geography'POINT(8 53)')", [2]),
        (f"Locations?$filter=st_relate({BOX}, location, 'T********')", [1, 2, 4, 7]),
        ("Locations?$filter=st_touches(geography'POLYGON((8 53, 7.5 54.5, 8.5 54.5, 8 53))', location)", [2, 4]),
        ("Locations?$filter=st_within(geography'POINT(7.5 52.75)', location)", [4]),
        ("FeaturesOfInterest?$filter=geo.intersects(feature, geography'LINESTRING(7.5 51, 7.5 54)')", [4, 7]),
        (f"Datastreams?$filter=st_within(Thing/Locations/location,{BOX})", [0, 1, 2, 3, 4, 5]),
        (f"Locations?$filter={POINT_TYPE}", [0, 1, 2, 3]),
        (f"Locations?$filter=({POINT_TYPE}) and (geo.intersects(location, geography'Polygon ((1 0, 10 0, 10 53.5, 1 53.5, 1 0))'))", [0, 1, 2]),
    ],
)  # fmt: skip
def test_filters_of_places(service: Service, address: str, expected: list[int]) -> None:
    assert found(service, address) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"resultTime lt {T700}", [0, 1, 21, 23]),
        (f"phenomenonTime lt {T700}", [0, 1, 8, 9, 21, 23]),
        (f"resultTime gt {I700_800}", [5, 6, 7, 22, 24]),
        (f"validTime gt {I700_800}", [14, 15, 24]),
        (f"validTime le {I700_800}", [8, 9, 10, 11, 17, 19, 23]),
        (f"{T800} le validTime", [14, 15, 24]),
        (f"phenomenonTime eq {I700_800}", [11]),
        ("year(resultTime) eq 2015", [21, 23]),
        ("resultTime add duration'PT1H' gt 2016-01-01T09:00:00.000Z", [6, 7, 22, 24]),
        ("resultTime gt 2016-01-01T09:00:00.000Z sub duration'PT1H'", [6, 7, 22, 24]),
        (f"before(validTime,{T700})", [8, 9, 23]),
        (f"after(validTime,{T800})", [15, 24]),
        (f"meets(validTime,{T700})", [9, 11, 17, 18]),
        (f"during(validTime,{I700_800})", [11, 12, 17, 20]),
        (f"during(resultTime,{I700_800})", [2, 3, 4]),
        (f"overlaps(validTime,{I700_800})", [10, 11, 12, 13, 16, 17, 18, 19, 20]),
        (f"starts(phenomenonTime,{T700})", [2, 11, 17, 18]),
        (f"finishes(validTime,{T800})", [11, 19, 20]),
    ],
)
def test_filters_of_times_and_periods(service: Service, condition: str, expected: list[int]) -> None:
    assert found(service, f"Datastreams(2)/Observations?$filter={condition}") == expected


def test_data_arrays_and_geojson(service: Service) -> None:
    array = get(service, "Observations?$resultFormat=dataArray&$count=true&$top=2")
    assert array["@iot.count"] == 37
    assert "@iot.nextLink" in array
    (group,) = array["value"]
    assert group["Datastream@iot.navigationLink"] == f"{ROOT}/Datastreams(2)"
    assert group["components"][0] == "id"
    assert group["dataArray@iot.count"] == len(group["dataArray"]) == 2
    assert all(len(row) == len(group["components"]) for row in group["dataArray"])
    selected = get(service, "Observations?$resultFormat=dataArray&$select=result,phenomenonTime&$top=2")
    assert selected["value"][0]["components"] == ["result", "phenomenonTime"]
    features = get(service, "Locations?$resultFormat=GeoJSON")
    assert features["type"] == "FeatureCollection"
    assert [one["geometry"] for one in features["features"]] == json.loads(json.dumps(PLACES))


def test_ordering_by_several_terms_and_through_relations(service: Service) -> None:
    ordered = get(service, "Datastreams?$orderby=Thing/name desc,name asc")["value"]
    assert [one["name"] for one in ordered] == [f"Datastream {n}" for n in (6, 3, 4, 5, 0, 1, 2)]
    things = get(service, "Things?$orderby=@iot.id desc")["value"]
    assert [one["@iot.id"] for one in things] == [4, 3, 2, 1]


def test_names_and_blanks_may_be_encoded_as_clients_do(service: Service) -> None:
    plain = get(service, "Datastreams?$expand=Thing,Sensor&$filter=name eq 'Datastream 1'")
    answer = service.answer("Datastreams", "%24expand=Thing%2CSensor&%24filter=name+eq+%27Datastream+1%27")
    assert json.loads(json.dumps(answer.body)) == plain
