/** The directory as the map draws it, and what of it is asked for. Filtering twenty thousand takes a few milliseconds. */
import { get, type Kind } from "./api";
import { t } from "./words";

export type Stream = {
  organisation: string; datastream: string; kind: Kind; observed_property?: string; theme?: string; personal_data?: boolean; simulated?: boolean;
  unit?: string; offers?: string[]; licences?: string[]; purposes?: string[]; release?: string; coarse?: boolean; closed?: string;
  place: [number, number] | null; words: string;
};
export type Wanted = { q: string; theme: string; kind: string; licence: string; purpose: string; access: string; organisation: string };
export const NOTHING_WANTED: Wanted = { q: "", theme: "", kind: "", licence: "", purpose: "", access: "", organisation: "" };

const ORDER = { open: 0, agreement: 1, closed: 2 } as const;

type Answer = { features: { geometry: { coordinates: [number, number] } | null; properties: Omit<Stream, "place" | "words"> }[] };

export async function directory(names: ReadonlyMap<string, string>): Promise<Stream[]> {
  const { features } = await get<Answer>("/api/v1/directory/map");
  const streams = features.map(({ geometry, properties: p }) => ({
    ...p,
    place: geometry?.coordinates ?? null,
    words: [p.datastream, p.observed_property, p.theme, p.organisation, names.get(p.organisation)].join(" ").toLowerCase(),
  }));
  return streams.sort((a, b) => ORDER[accessOf(a)] - ORDER[accessOf(b)]); // first what says something at once
}

export function accessOf(one: Stream): "open" | "agreement" | "closed" {
  return one.release ? "open" : one.offers?.length ? "agreement" : "closed";
}

export function accessName(access: string): string {
  return { open: t("open to all"), agreement: t("by agreement"), closed: t("closed") }[access] ?? access;
}

export function matching(all: readonly Stream[], wanted: Wanted): Stream[] {
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(
    (one) =>
      (!wanted.theme || one.theme === wanted.theme) &&
      (!wanted.kind || one.kind === wanted.kind) &&
      (!wanted.organisation || one.organisation === wanted.organisation) &&
      (!wanted.licence || !!one.licences?.includes(wanted.licence)) &&
      (!wanted.purpose || !!one.purposes?.some((purpose) => purpose === "any" || purpose === wanted.purpose)) &&
      (!wanted.access || accessOf(one) === wanted.access) &&
      words.every((word) => one.words.includes(word)),
  );
}

/** What there is of something, with how often, the most frequent first. */
export function choices(all: readonly Stream[], of: (one: Stream) => readonly (string | undefined)[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const one of all) for (const value of of(one)) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

export const pathOf = (one: { organisation: string; datastream: string }): string => `/sensors/${one.organisation}/${one.datastream}`;
