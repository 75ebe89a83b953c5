/** A map on its own vector ground: what is drawn comes from this origin, with a tile server or without. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { FeatureCollection } from "geojson";
import type { GeoJSONSource, Map as MapLibre, StyleSpecification } from "maplibre-gl";
import { isDark, onAppearance } from "./appearance";
import { t } from "./words";

export type Spot = { place: [number, number]; colour: string; title: string; hollow?: boolean };
export type View = { place: [number, number]; zoom: number };
const CITY: View = { place: [4.84, 45.76], zoom: 11.6 };
const CLUSTER_BELOW = 15; // from this zoom on each sensor has a dot of its own

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

export function CityMap(properties: Properties): JSX.Element {
  const at = useRef<HTMLDivElement>(null);
  const map = useRef<MapLibre | null>(null);
  const now = useRef(properties);
  now.current = properties;
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    let over = false;
    const stop = [() => {}];
    seen(at.current!)
      .then(() => (over ? Promise.reject(new Error("nobody looks any more")) : draw(at.current!, now)))
      .then((made) => {
        if (over) return made.remove();
        map.current = made;
        show(made, now.current);
        stop.push(onAppearance(() => made.setStyle(style(), { diff: true })));
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
      setTimeout(() => gone?.remove()); // after the next page is there: to give up a drawing context takes a while
    };
  }, []);
  useEffect(() => {
    if (map.current) show(map.current, properties);
  }, [properties.spots]);

  if (failed) return <p class="map-missing">{t("This browser can’t draw the map (it has no WebGL). The list has the same.")}</p>;
  return <div ref={at} class={`map ${properties.class ?? ""}`} role="region" aria-label={properties.label} />;
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

async function draw(at: HTMLElement, now: { current: Properties }): Promise<MapLibre> {
  const [library, worker] = await Promise.all([import("maplibre-gl"), import("maplibre-gl/dist/maplibre-gl-worker.mjs?url"), import("maplibre-gl/dist/maplibre-gl.css")]);
  library.setWorkerUrl(worker.default);
  const view = now.current.view ?? CITY;
  const made = new library.Map({
    container: at, style: style(), center: view.place, zoom: view.zoom, minZoom: 9, maxZoom: 19, attributionControl: false,
    dragRotate: false, pitchWithRotate: false, fadeDuration: 0, cooperativeGestures: matchMedia("(pointer: coarse)").matches,
    locale: {
      "NavigationControl.ZoomIn": t("Zoom in"), "NavigationControl.ZoomOut": t("Zoom out"), "Map.Title": now.current.label,
      "CooperativeGesturesHandler.MobileHelpText": t("Use two fingers to move the map"),
    },
  });
  made.touchZoomRotate.disableRotation();
  made.addControl(new library.NavigationControl({ showCompass: false }), "top-right");
  made.on("click", (event) => void choose(made, event.point, now.current));
  made.on("mousemove", (event) => {
    made.getCanvas().style.cursor = near(made, event.point).length ? "pointer" : "";
  });
  made.on("moveend", () => {
    const { lng, lat } = made.getCenter();
    now.current.onView?.({ place: [lng, lat], zoom: made.getZoom() });
  });
  made.on("style.load", () => show(made, now.current, true));
  made.on("idle", () => at.toggleAttribute("data-drawn", true));
  return new Promise((resolve) => made.once("style.load", () => resolve(made)));
}

const near = (map: MapLibre, { x, y }: { x: number; y: number }): ReturnType<MapLibre["queryRenderedFeatures"]> =>
  map.getLayer("spots") ? map.queryRenderedFeatures([[x - 5, y - 5], [x + 5, y + 5]], { layers: ["spots", "clusters"] }) : [];

async function choose(map: MapLibre, point: { x: number; y: number }, properties: Properties): Promise<void> {
  const found = near(map, point)[0];
  if (!found) return;
  if (found.properties["cluster_id"] === undefined) return properties.onChoose?.(found.properties["i"] as number);
  const source = map.getSource<GeoJSONSource>("spots");
  const zoom = await source?.getClusterExpansionZoom(found.properties["cluster_id"] as number);
  const [longitude, latitude] = (found.geometry as unknown as { coordinates: [number, number] }).coordinates;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  map[still ? "jumpTo" : "easeTo"]({ center: [longitude, latitude], zoom: zoom ?? map.getZoom() + 2 });
}

function show(map: MapLibre, { spots, fit, view }: Properties, again = false): void {
  const source = map.getSource<GeoJSONSource>("spots");
  if (!source) return;
  void source.setData(collection(spots));
  if (again || !fit || view || !spots.length) return;
  const [first, ...others] = spots.map((one) => one.place);
  const bounds = others.reduce(
    ([w, s, e, n], [x, y]) => [Math.min(w, x), Math.min(s, y), Math.max(e, x), Math.max(n, y)] as const,
    [first![0], first![1], first![0], first![1]] as const,
  );
  map.fitBounds([bounds[0], bounds[1], bounds[2], bounds[3]], { padding: 48, maxZoom: 14.5, animate: false });
}

function collection(spots: readonly Spot[]): FeatureCollection {
  return {
    type: "FeatureCollection",
    features: spots.map((one, i) => ({
      type: "Feature", geometry: { type: "Point", coordinates: one.place }, properties: { i, colour: one.colour, hollow: !!one.hollow },
    })),
  };
}

// --- how it looks

function style(): StyleSpecification {
  const c = isDark()
    ? { land: "#161c23", district: "#1a222b", border: "#2c3742", water: "#142c3a", park: "#18281f", street: "#27313c", avenue: "#33404d", text: "#8b9aa9", halo: "#161c23", cluster: "#cfe3e8", onCluster: "#12212a", dotEdge: "#10151a" }
    : { land: "#f4f1ea", district: "#f4f1ea", border: "#d8d2c4", water: "#c5dde4", park: "#dfe8d4", street: "#ffffff", avenue: "#ffffff", text: "#6d675b", halo: "#f4f1ea", cluster: "#17434f", onCluster: "#ffffff", dotEdge: "#ffffff" };
  const is = (...kinds: string[]): ["in", ["get", string], ["literal", string[]]] => ["in", ["get", "kind"], ["literal", kinds]];
  const font = ["Public Sans Variable"];
  return {
    version: 8,
    sources: {
      ground: { type: "geojson", data: new URL("/ground.geojson", location.href).href, attribution: "" },
      spots: { type: "geojson", data: collection([]), cluster: true, clusterRadius: 44, clusterMaxZoom: CLUSTER_BELOW - 1, buffer: 64 },
    },
    layers: [
      { id: "land", type: "background", paint: { "background-color": c.land } },
      { id: "park", type: "fill", source: "ground", filter: is("park"), paint: { "fill-color": c.park } },
      { id: "street", type: "line", source: "ground", filter: is("street"), minzoom: 11, layout: { "line-cap": "round" }, paint: { "line-color": c.street, "line-width": ["interpolate", ["linear"], ["zoom"], 11, 0.6, 13, 1.4, 16, 5] } },
      { id: "district", type: "line", source: "ground", filter: is("district"), paint: { "line-color": c.border, "line-width": 1.2, "line-dasharray": [3, 2] } },
      { id: "water", type: "fill", source: "ground", filter: is("water"), paint: { "fill-color": c.water } },
      { id: "avenue", type: "line", source: "ground", filter: is("avenue"), layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": c.avenue, "line-width": ["interpolate", ["linear"], ["zoom"], 10, 1, 13, 3, 16, 10] } },
      { id: "names", type: "symbol", source: "ground", filter: is("name"), layout: { "text-field": ["get", "name"], "text-font": font, "text-size": ["interpolate", ["linear"], ["zoom"], 10, 10, 14, 14], "text-letter-spacing": 0.06, "text-max-width": 7 }, paint: { "text-color": c.text, "text-halo-color": c.halo, "text-halo-width": 1.4 } },
      { id: "clusters", type: "circle", source: "spots", filter: ["has", "point_count"], paint: { "circle-color": c.cluster, "circle-radius": ["interpolate", ["linear"], ["get", "point_count"], 2, 13, 50, 19, 1000, 28, 10000, 36], "circle-stroke-color": c.dotEdge, "circle-stroke-width": 2, "circle-opacity": 0.92 } },
      { id: "counts", type: "symbol", source: "spots", filter: ["has", "point_count"], layout: { "text-field": ["get", "point_count_abbreviated"], "text-font": font, "text-size": 12, "text-allow-overlap": true }, paint: { "text-color": c.onCluster } },
      { id: "spots", type: "circle", source: "spots", filter: ["!", ["has", "point_count"]], paint: { "circle-color": ["case", ["get", "hollow"], c.land, ["get", "colour"]], "circle-radius": ["interpolate", ["linear"], ["zoom"], 10, 5, 16, 9], "circle-stroke-color": ["case", ["get", "hollow"], ["get", "colour"], c.dotEdge], "circle-stroke-width": ["case", ["get", "hollow"], 2.5, 1.5] } },
    ],
  };
}
