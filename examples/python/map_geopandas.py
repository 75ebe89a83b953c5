"""Places with what was observed there, with geopandas: from history and from SensorThings alike."""

import os

import geopandas

at = f"{os.environ['BROKER']}/api/v1/releases/{os.environ['RELEASE']}/observations"
found = geopandas.read_file(f"{at}?format=geojson&limit=1000")
print(found[["time", "value", "geometry"]].tail())
places = geopandas.read_file(f"{os.environ['BROKER']}/v1.1/Locations?$resultFormat=GeoJSON")
print(places.total_bounds)
assert found.geometry.iloc[0] is not None
