"""Draws the ground under the map of the simulated city, `public/ground.geojson`: python portal/ground.py

A sketch of Lyon, where the simulated sensors stand: its two rivers and the names and places of its districts are real to some
hundred metres, the streets are made up. It is the project's own drawing, so a map needs no tile server and no licence.
An operator gives the ground of another city with the setting `ground`.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

from shapely import affinity, ops
from shapely.geometry import LineString, MultiLineString, Point, Polygon, mapping
from shapely.geometry.base import BaseGeometry

CENTRE = (4.84, 45.76)
EAST_M = 111_200 * math.cos(math.radians(CENTRE[1]))  # a degree of longitude here
NORTH_M = 111_200
RADIUS_M = 14_000
DECIMALS = 5  # a metre
SAONE = [
    (4.829, 45.900), (4.823, 45.862), (4.836, 45.842), (4.846, 45.825), (4.842, 45.808), (4.833, 45.797), (4.823, 45.790), (4.808, 45.783),
    (4.803, 45.777), (4.808, 45.770), (4.818, 45.7685), (4.8265, 45.768), (4.8285, 45.763), (4.8265, 45.757), (4.8215, 45.750),
    (4.8155, 45.742), (4.8165, 45.734), (4.8185, 45.7265),
]  # fmt: skip
RHONE = [
    (5.040, 45.806), (4.990, 45.815), (4.950, 45.803), (4.915, 45.797), (4.885, 45.791), (4.865, 45.787), (4.849, 45.781), (4.8435, 45.773),
    (4.8405, 45.766), (4.8395, 45.758), (4.8365, 45.750), (4.8310, 45.742), (4.8235, 45.733), (4.8185, 45.7265), (4.8245, 45.710),
    (4.8360, 45.690), (4.8330, 45.668), (4.815, 45.640),
]  # fmt: skip
DISTRICTS = {
    "Presqu’île": (4.8335, 45.7600), "Confluence": (4.8230, 45.7400), "Croix-Rousse": (4.8300, 45.7790), "Vieux Lyon": (4.8225, 45.7610),
    "Fourvière": (4.8090, 45.7600), "Vaise": (4.8010, 45.7770), "La Duchère": (4.7950, 45.7890), "Point du Jour": (4.7930, 45.7480),
    "Brotteaux": (4.8570, 45.7690), "Part-Dieu": (4.8580, 45.7580), "Guillotière": (4.8470, 45.7500), "Gerland": (4.8320, 45.7270),
    "Monplaisir": (4.8700, 45.7450), "États-Unis": (4.8640, 45.7280), "Montchat": (4.8830, 45.7510), "Villeurbanne": (4.8830, 45.7680),
    "Cusset": (4.9010, 45.7660), "Bron": (4.9130, 45.7380), "Vénissieux": (4.8830, 45.7040), "Saint-Fons": (4.8540, 45.7060), "Caluire": (4.8470, 45.7960),
    "Vaulx-en-Velin": (4.9210, 45.7790), "Écully": (4.7770, 45.7750), "Tassin": (4.7700, 45.7630), "Sainte-Foy": (4.8000, 45.7340), "Oullins": (4.8080, 45.7160),
    "Rillieux": (4.8980, 45.8200), "Saint-Rambert": (4.8230, 45.8050), "Champagne": (4.7900, 45.8100), "Francheville": (4.7600, 45.7350), "Décines": (4.9590, 45.7690),
    "Saint-Priest": (4.9440, 45.6970), "Pierre-Bénite": (4.8260, 45.7000), "Chassieu": (4.9660, 45.7430), "Feyzin": (4.8560, 45.6720), "Limonest": (4.7720, 45.8370), "Genas": (5.0010, 45.7300),
}  # fmt: skip
PARKS = {
    "Tête d’Or": [(4.8475, 45.7745), (4.8555, 45.7725), (4.8625, 45.7775), (4.8600, 45.7835), (4.8520, 45.7820)],
    "Gerland": [(4.8265, 45.7235), (4.8320, 45.7210), (4.8335, 45.7265), (4.8285, 45.7300)],
    "Parilly": [(4.8920, 45.7190), (4.9060, 45.7160), (4.9090, 45.7240), (4.8960, 45.7275)],
    "Feyssine": [(4.8660, 45.7860), (4.8840, 45.7895), (4.8900, 45.7850), (4.8710, 45.7815)],
    "Les Hauteurs": [(4.8130, 45.7600), (4.8180, 45.7640), (4.8200, 45.7570), (4.8150, 45.7545)],
}
AVENUES = [
    [(4.8010, 45.7770), (4.8150, 45.7710), (4.8300, 45.7705), (4.8430, 45.7700), (4.8590, 45.7685), (4.8830, 45.7665), (4.9210, 45.7690), (4.9700, 45.7660)],
    [(4.8215, 45.7490), (4.8325, 45.7490), (4.8450, 45.7490), (4.8700, 45.7455), (4.9000, 45.7380), (4.9300, 45.7300), (4.9700, 45.7200)],
    [(4.8335, 45.7685), (4.8340, 45.7600), (4.8290, 45.7500), (4.8200, 45.7380), (4.8195, 45.7290)],
    [(4.8490, 45.7740), (4.8470, 45.7600), (4.8440, 45.7490), (4.8370, 45.7370), (4.8340, 45.7220), (4.8450, 45.7050), (4.8540, 45.6750)],
    [(4.8580, 45.7690), (4.8600, 45.7580), (4.8680, 45.7400), (4.8760, 45.7200), (4.8830, 45.7040), (4.9000, 45.6800)],
    [(4.8000, 45.7770), (4.7700, 45.7800), (4.7300, 45.7900)], [(4.8220, 45.7490), (4.8050, 45.7450), (4.7800, 45.7400), (4.7400, 45.7350)],
    [(4.8300, 45.7705), (4.8310, 45.7800), (4.8470, 45.7960), (4.8700, 45.8050), (4.8980, 45.8200), (4.9300, 45.8400)],
    [(4.8010, 45.7770), (4.7900, 45.8000), (4.7800, 45.8300), (4.7750, 45.8600)],
    [(4.9030, 45.7900), (4.9100, 45.7640), (4.9080, 45.7380), (4.8890, 45.7210), (4.8600, 45.7130), (4.8360, 45.7060)],
]  # fmt: skip


def main() -> None:
    water = ops.unary_union([_line(SAONE).buffer(55), _line(RHONE).buffer(95)])
    disc = Point(0, 0).buffer(RADIUS_M)
    parks = {
        name: Polygon([_metres(one) for one in corners]).buffer(60).difference(water) for name, corners in PARKS.items()
    }
    green = ops.unary_union(list(parks.values()))
    districts = _districts(disc)
    streets = [_streets(name, area.difference(water.buffer(30)).difference(green)) for name, area in districts.items()]
    features = [
        _feature("park", green),
        _feature("street", MultiLineString([one for of in streets for one in of])),
        _feature(
            "district",
            ops.unary_union([area.exterior for area in districts.values()])
            .difference(water)
            .difference(disc.exterior.buffer(5)),
        ),
        _feature("avenue", MultiLineString([_line(one) for one in AVENUES])),
        _feature("water", water.intersection(disc)),
        *(_feature("name", Point(_metres(place)), name) for name, place in DISTRICTS.items()),
    ]
    document = {"type": "FeatureCollection", "features": features}
    path = Path(__file__).parent / "public" / "ground.geojson"
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")


def _districts(disc: Polygon) -> dict[str, Polygon]:
    """What lies nearest to each name."""
    names = {name: Point(_metres(place)) for name, place in DISTRICTS.items()}
    cells = ops.voronoi_diagram(ops.unary_union(list(names.values())), envelope=disc)
    return {
        name: next(cell for cell in cells.geoms if cell.contains(at)).intersection(disc) for name, at in names.items()
    }


def _streets(name: str, area: BaseGeometry) -> list[LineString]:
    """A grid, turned and spaced as the district's name says, finer towards the middle of the city."""
    seed = sum(ord(letter) * (i + 3) for i, letter in enumerate(name))
    middle = area.centroid
    spacing = 120 + seed % 50 + middle.distance(Point(0, 0)) / 45
    reach = 4_000
    grid = []
    for step in range(int(-reach // spacing), int(reach // spacing) + 1):
        if (step * 7 + seed) % 11 != 0:  # here and there a block is twice as deep
            across = step * spacing
            grid += [
                LineString([(-reach, across), (reach, across)]),
                LineString([(across * 1.3, -reach), (across * 1.3, reach)]),
            ]
    turned = affinity.rotate(MultiLineString(grid), seed % 45 - 22, origin=(0, 0))
    cut = affinity.translate(turned, middle.x, middle.y).intersection(area.buffer(-25))
    return [one for one in getattr(cut, "geoms", [cut]) if isinstance(one, LineString) and one.length > spacing]


def _metres(place: tuple[float, float]) -> tuple[float, float]:
    return (place[0] - CENTRE[0]) * EAST_M, (place[1] - CENTRE[1]) * NORTH_M


def _line(places: list[tuple[float, float]]) -> LineString:
    """Through these places, its corners rounded (Chaikin's way)."""
    points = [_metres(one) for one in places]
    for _ in range(3 if len(points) > 2 else 0):  # noqa: PLR2004 - a straight line has no corner
        inner = [
            (a[0] * w + b[0] * (1 - w), a[1] * w + b[1] * (1 - w))
            for a, b in itertools.pairwise(points)
            for w in (0.75, 0.25)
        ]
        points = [points[0], *inner[1:-1], points[-1]]
    return LineString(points).simplify(3)


def _feature(kind: str, geometry: BaseGeometry, name: str | None = None) -> dict[str, Any]:
    degrees = affinity.affine_transform(geometry, [1 / EAST_M, 0, 0, 1 / NORTH_M, *CENTRE])
    written = json.loads(json.dumps(mapping(degrees)), parse_float=lambda text: round(float(text), DECIMALS))
    properties = {"kind": kind} if name is None else {"kind": kind, "name": name}
    return {"type": "Feature", "properties": properties, "geometry": written}


if __name__ == "__main__":
    main()
