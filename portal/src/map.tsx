/** A map on its own vector ground: what is drawn comes from this origin, with a tile server or without. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { GeoJSONSource, LayerSpecification, Map as MapLibre, StyleSpecification } from "maplibre-gl";
import { isDark, onAppearance } from "./appearance";
import { around, grouping, type Box, type Group } from "./groups";
import { FONT, TILES, underlay, type Underlay } from "./tiles";
import { locale, t } from "./words";

export type Spot = { place: [number, number]; colour: string; hollow?: boolean };
export type View = { place: [number, number]; zoom: number };
const CITY: View = { place: [4.84, 45.76], zoom: 11.6 };
const LEAVE_MS = 500;
const APART = 15; // from this zoom on each sensor has a dot of its own

type Properties = {
  spots: readonly Spot[];
  /** Which of them was chosen. */
  onChoose?: (index: number) => void;
  onView?: (view: View) => void;
  view?: View | undefined;
  /** Whether to move to where the spots are. */
  fit?: boolean;
  label: string;
  class?: string;
};
/** What is to be seen now. */
type Scene = Properties & { grouped: (zoom: number, within: Box) => Group[] };

export function CityMap(properties: Properties): JSX.Element {
  const at = useRef<HTMLDivElement>(null);
  const map = useRef<MapLibre | null>(null);
  const grouped = useMemo(() => grouping(properties.spots.map((one) => one.place), APART), [properties.spots]);
  const now = useRef<Scene>({ ...properties, grouped });
  now.current = { ...properties, grouped };
  const [failed, setFailed] = useState(false);
  const [attribution, setAttribution] = useState("");

  useEffect(() => {
    let over = false;
    const stop = [() => {}];
    seen(at.current!)
      .then(() => (over ? Promise.reject(new Error("nobody looks any more")) : draw(at.current!, now)))
      .then(([made, below]) => {
        if (over) return made.remove();
        map.current = made;
        setAttribution(below?.attribution ?? "");
        update(made, now.current);
        stop.push(onAppearance(() => { made.setStyle(style(below), { diff: true }); show(made, now.current); }));
      })
      .catch((error: unknown) => {
        if (over) return;
        console.warn("no map", error);
        setFailed(true);
      });
    return () => {
      over = true;
      for (const end of stop) end();
      const gone = map.current;
      map.current = null;
      setTimeout(() => gone?.remove(), LEAVE_MS); // after the next page is there: to give up a drawing context takes a while
    };
  }, []);
  useEffect(() => {
    if (map.current) update(map.current, now.current);
  }, [properties.spots]);

  if (failed) return <p class="map-missing">{t("This browser can’t draw the map (it has no WebGL). The list has the same.")}</p>;
  return (
    <div class={`map ${properties.class ?? ""}`} role="region" aria-label={properties.label}>
      <div ref={at} class="drawing" />
      {attribution && <p class="attribution">{attribution}</p>}
    </div>
  );
}

/** When it comes into view: a map below the fold need not delay what is above. */
function seen(at: HTMLElement): Promise<void> {
  return new Promise((resolve) => {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((one) => one.isIntersecting)) return;
      watch.disconnect();
      resolve();
    }, { rootMargin: "100px" });
    watch.observe(at);
  });
}

async function draw(at: HTMLElement, now: { current: Scene }): Promise<[MapLibre, Underlay | null]> {
  const [library, worker] = await Promise.all([import("maplibre-gl"), import("maplibre-gl/dist/maplibre-gl-worker.mjs?url"), import("maplibre-gl/dist/maplibre-gl.css")]);
  library.setWorkerUrl(worker.default);
  const below = await underlay(library).catch((error: unknown) => { console.warn("the operator’s tiles can’t be had", error); return null; });
  const view = now.current.view ?? CITY;
  const made = new library.Map({
    container: at, style: style(below), center: view.place, zoom: view.zoom, minZoom: 9, maxZoom: 19, attributionControl: false,
    dragRotate: false, pitchWithRotate: false, fadeDuration: 0, cooperativeGestures: matchMedia("(pointer: coarse)").matches,
    locale: {
      "NavigationControl.ZoomIn": t("Zoom in"), "NavigationControl.ZoomOut": t("Zoom out"), "Map.Title": now.current.label,
      "CooperativeGesturesHandler.MobileHelpText": t("Use two fingers to move the map"),
    },
  });
  made.touchZoomRotate.disableRotation();
  made.addControl(new library.NavigationControl({ showCompass: false }), "top-right");
  made.on("click", (event) => choose(made, event.point, now.current));
  made.on("mousemove", (event) => {
    made.getCanvas().style.cursor = near(made, event.point).length ? "pointer" : "";
  });
  made.on("moveend", () => {
    show(made, now.current);
    const { lng, lat } = made.getCenter();
    now.current.onView?.({ place: [lng, lat], zoom: made.getZoom() });
  });
  made.on("style.load", () => show(made, now.current));
  made.on("idle", () => at.parentElement?.toggleAttribute("data-drawn", true));
  return new Promise((resolve) => made.once("style.load", () => resolve([made, below])));
}

const near = (map: MapLibre, { x, y }: { x: number; y: number }): ReturnType<MapLibre["queryRenderedFeatures"]> =>
  map.getLayer("spots") ? map.queryRenderedFeatures([[x - 5, y - 5], [x + 5, y + 5]], { layers: ["spots", "clusters"] }) : [];

/** One sensor's page, or nearer to where those of a group stand. */
function choose(map: MapLibre, point: { x: number; y: number }, { onChoose }: Scene): void {
  const found = near(map, point)[0]?.properties as Mark | undefined;
  if (!found) return;
  if (!("count" in found)) return onChoose?.(found.i);
  const zoom = Math.min(APART, Math.floor(map.getZoom()) + 1); // one at least, or those in one place would never part
  const camera = map.cameraForBounds([found.west, found.south, found.east, found.north], { padding: 64, maxZoom: APART });
  if (!camera) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  map[still ? "jumpTo" : "easeTo"]({ ...camera, zoom: Math.max(zoom, camera.zoom ?? zoom) });
}

/** The marks of what is in view and a little around: of all, a large city's map would take a second to be drawn anew. */
function show(map: MapLibre, { spots, grouped }: Scene): void {
  const source = map.getSource<GeoJSONSource>("spots");
  if (!source) return;
  const [[west, south], [east, north]] = map.getBounds().toArray() as [[number, number], [number, number]];
  const [wide, high] = [(east - west) / 2, (north - south) / 2];
  const seen = grouped(map.getZoom(), [west - wide, south - high, east + wide, north + high]);
  const told = new Intl.NumberFormat(locale(), { notation: "compact" });
  map.getContainer().parentElement?.toggleAttribute("data-drawn", false);
  source.setData({ type: "FeatureCollection", features: seen.map((one) => ({ type: "Feature", geometry: { type: "Point", coordinates: one.place }, properties: mark(one, spots, told) })) });
}

/** Other spots: they are shown where one looks already, or one is moved to them. */
function update(map: MapLibre, scene: Scene): void {
  const { spots, fit, view } = scene;
  if (!fit || view || !spots.length) return show(map, scene);
  map.fitBounds(around(spots.map((one) => one.place)), { padding: 48, maxZoom: 14.5, animate: false });
}

/** What the map knows of a group: the only spot in it, or how many and in which box they stand. */
type Mark = { i: number; colour: string; hollow: boolean } | { count: number; told: string; west: number; south: number; east: number; north: number };

function mark({ members }: Group, spots: readonly Spot[], told: Intl.NumberFormat): Mark {
  const [i, ...others] = members;
  const { colour, hollow } = spots[i!]!;
  if (!others.length) return { i: i!, colour, hollow: !!hollow };
  const [west, south, east, north] = around(members.map((one) => spots[one]!.place));
  return { count: members.length, told: told.format(members.length), west, south, east, north };
}

// --- how it looks

export type Colours = Readonly<Record<"land" | "district" | "border" | "water" | "park" | "street" | "avenue" | "text" | "halo" | "cluster" | "onCluster" | "dotEdge", string>>;

function style(below: Underlay | null): StyleSpecification {
  const c: Colours = isDark()
    ? { land: "#161c23", district: "#1a222b", border: "#2c3742", water: "#142c3a", park: "#18281f", street: "#27313c", avenue: "#33404d", text: "#8b9aa9", halo: "#161c23", cluster: "#cfe3e8", onCluster: "#12212a", dotEdge: "#10151a" }
    : { land: "#f4f1ea", district: "#f4f1ea", border: "#d8d2c4", water: "#c5dde4", park: "#dfe8d4", street: "#ffffff", avenue: "#ffffff", text: "#6d675b", halo: "#f4f1ea", cluster: "#17434f", onCluster: "#ffffff", dotEdge: "#ffffff" };
  return {
    version: 8,
    sources: {
      ...(below ? { [TILES]: below.source } : { ground: { type: "geojson", data: new URL("/ground.geojson", location.href).href } }),
      spots: { type: "geojson", data: { type: "FeatureCollection", features: [] }, buffer: 64 },
    },
    layers: [
      { id: "land", type: "background", paint: { "background-color": c.land } },
      ...(below ? below.layers(c) : ground(c)),
      { id: "clusters", type: "circle", source: "spots", filter: ["has", "count"], paint: { "circle-color": c.cluster, "circle-radius": ["interpolate", ["linear"], ["get", "count"], 2, 13, 50, 19, 1000, 28, 10000, 36], "circle-stroke-color": c.dotEdge, "circle-stroke-width": 2, "circle-opacity": 0.92 } },
      { id: "counts", type: "symbol", source: "spots", filter: ["has", "count"], layout: { "text-field": ["get", "told"], "text-font": FONT, "text-size": 12, "text-allow-overlap": true }, paint: { "text-color": c.onCluster } },
      { id: "spots", type: "circle", source: "spots", filter: ["!", ["has", "count"]], paint: { "circle-color": ["case", ["get", "hollow"], c.land, ["get", "colour"]], "circle-radius": ["interpolate", ["linear"], ["zoom"], 10, 5, 16, 9], "circle-stroke-color": ["case", ["get", "hollow"], ["get", "colour"], c.dotEdge], "circle-stroke-width": ["case", ["get", "hollow"], 2.5, 1.5] } },
    ],
  };
}

/** The sketch of a city, or the operator's own (docs/portal.md). */
function ground(c: Colours): LayerSpecification[] {
  const is = (...kinds: string[]): ["in", ["get", string], ["literal", string[]]] => ["in", ["get", "kind"], ["literal", kinds]];
  return [
    { id: "park", type: "fill", source: "ground", filter: is("park"), paint: { "fill-color": c.park } },
    { id: "street", type: "line", source: "ground", filter: is("street"), minzoom: 11, layout: { "line-cap": "round" }, paint: { "line-color": c.street, "line-width": ["interpolate", ["linear"], ["zoom"], 11, 0.6, 13, 1.4, 16, 5] } },
    { id: "district", type: "line", source: "ground", filter: is("district"), paint: { "line-color": c.border, "line-width": 1.2, "line-dasharray": [3, 2] } },
    { id: "water", type: "fill", source: "ground", filter: is("water"), paint: { "fill-color": c.water } },
    { id: "avenue", type: "line", source: "ground", filter: is("avenue"), layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": c.avenue, "line-width": ["interpolate", ["linear"], ["zoom"], 10, 1, 13, 3, 16, 10] } },
    { id: "names", type: "symbol", source: "ground", filter: is("name"), layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 10, 10, 14, 14], "text-letter-spacing": 0.06, "text-max-width": 7 }, paint: { "text-color": c.text, "text-halo-color": c.halo, "text-halo-width": 1.4 } },
  ];
}
