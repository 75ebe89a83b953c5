/** The operator's own map under the sensors: a PMTiles file, or a server of pictures; without either the map draws its own ground. */
import type { LayerSpecification, SourceSpecification } from "maplibre-gl";
import type * as Library from "maplibre-gl";
import type { Colours } from "./map";
import { setting } from "./setting";

export const TILES = "tiles";
export const FONT = ["Public Sans Variable"];
export type Underlay = { source: SourceSpecification; layers: (colours: Colours) => LayerSpecification[]; attribution: string };
type Metadata = { vector_layers?: { id: string }[] };

const MVT = 1; // what PMTiles' header calls vector tiles
const PICTURE_PX = 256;

/** What the operator set, ready for the map's style; null: nothing. */
export async function underlay(library: typeof Library): Promise<Underlay | null> {
  const { tiles } = await setting();
  if (tiles?.server) return { ...pictures({ tiles: [tiles.server], maxzoom: 19 }), attribution: tiles.attribution };
  return tiles?.file ? ofFile(library, tiles.file, tiles.attribution) : null;
}

async function ofFile(library: typeof Library, path: string, attribution: string): Promise<Underlay> {
  const { PMTiles, Protocol } = await import("pmtiles");
  const address = new URL(path, location.href).href;
  const [file, protocol] = [new PMTiles(address), new Protocol()];
  protocol.add(file);
  library.addProtocol("pmtiles", protocol.tile);
  const { tileType, minZoom: minzoom, maxZoom: maxzoom } = await file.getHeader();
  const found = { tiles: [`pmtiles://${address}/{z}/{x}/{y}`], minzoom, maxzoom };
  if (tileType !== MVT) return { ...pictures(found), attribution };
  const known = new Set(((await file.getMetadata()) as Metadata).vector_layers?.map((one) => one.id));
  const layers = (colours: Colours): LayerSpecification[] => drawn(colours).filter((one) => "source-layer" in one && known.has(one["source-layer"]!));
  return { source: { type: "vector", ...found }, layers, attribution };
}

const pictures = (found: { tiles: string[]; minzoom?: number; maxzoom: number }): Omit<Underlay, "attribution"> => ({
  source: { type: "raster", tileSize: PICTURE_PX, ...found },
  layers: () => [{ id: "pictures", type: "raster", source: TILES }],
});

/** What is drawn of vector tiles, whose layers are named as OpenMapTiles (https://openmaptiles.org/schema/) or Protomaps (https://docs.protomaps.com/basemaps/layers) do. */
function drawn(c: Colours): LayerSpecification[] {
  const green = ["in", ["coalesce", ["get", "class"], ["get", "kind"]], ["literal", ["park", "wood", "forest", "grass", "grassland", "garden", "cemetery", "nature_reserve", "public_park"]]] as const;
  const large = ["in", ["coalesce", ["get", "class"], ["get", "kind"]], ["literal", ["motorway", "trunk", "primary", "secondary", "highway", "major_road"]]] as const;
  const areas = ["==", ["geometry-type"], "Polygon"] as const;
  const of = (layer: string): { id: string; source: string; "source-layer": string } => ({ id: `tiles-${layer}`, source: TILES, "source-layer": layer });
  return [
    ...["landcover", "landuse", "park"].map((layer): LayerSpecification => ({ ...of(layer), type: "fill", filter: ["all", areas, layer === "park" ? true : green] as never, paint: { "fill-color": c.park } })),
    { ...of("water"), type: "fill", filter: areas as never, paint: { "fill-color": c.water } },
    { ...of("waterway"), type: "line", paint: { "line-color": c.water, "line-width": 1.4 } },
    ...["building", "buildings"].map((layer): LayerSpecification => ({ ...of(layer), type: "fill", minzoom: 14, paint: { "fill-color": c.district, "fill-outline-color": c.border } })),
    ...["transportation", "roads"].map((layer): LayerSpecification => ({ ...of(layer), type: "line", layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": c.street, "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 10, ["case", large as never, 1, 0.3], 16, ["case", large as never, 10, 5]] } })),
    ...["boundary", "boundaries"].map((layer): LayerSpecification => ({ ...of(layer), type: "line", paint: { "line-color": c.border, "line-width": 1.2, "line-dasharray": [3, 2] } })),
    ...["place", "places"].map((layer): LayerSpecification => ({ ...of(layer), type: "symbol", layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 10, 10, 14, 14], "text-max-width": 7 }, paint: { "text-color": c.text, "text-halo-color": c.halo, "text-halo-width": 1.4 } })),
  ];
}
