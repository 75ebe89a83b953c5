/** Calls of the broker's HTTP interface. What it refuses is a Problem, in its own words. */
import { t } from "./words";

export class Problem extends Error {
  constructor(readonly status: number, readonly title: string, readonly detail: string, readonly reason: string) {
    super(detail);
  }
}

let csrf = "";
/** What proves that a change was asked for by this page; comes with the session. */
export function setCsrf(token: string): void {
  csrf = token;
}

export async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const answer = await send(method, path, body, headers);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);

/** A list, however many pages it has. */
export async function getAll<T>(path: string): Promise<T[]> {
  const found: T[] = [];
  for (let next: string | undefined = path; next; ) {
    const answer: Response = await send("GET", next);
    found.push(...((await answer.json()) as T[]));
    const link = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("Link") ?? "")?.[1];
    const url: URL | undefined = link ? new URL(link, location.href) : undefined;
    next = url && `${url.pathname}${url.search}`; // a proxy may have another name than the broker believes
  }
  return found;
}

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const changing = method !== "GET";
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(changing && csrf ? { "Mitoyen-Csrf": csrf } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, t("No connection"), t("The broker does not answer. Is this computer connected? Try again in a moment."), "offline");
  }
  if (answer.ok) return answer;
  throw await problem(answer);
}

export async function problem(answer: Response): Promise<Problem> {
  try {
    const told = (await answer.json()) as { title: string; detail: string; reason?: string };
    return new Problem(answer.status, told.title, told.detail, told.reason ?? "");
  } catch {
    return new Problem(answer.status, t("The broker failed"), t("It answered {status}. Try again; if it stays so, tell the operator.", { status: answer.status }), "");
  }
}

// --- what is answered, as far as the portal uses it

export type Point = { type: "Point"; coordinates: [number, number] };
export type Kind = "measurement" | "rfid" | "camera";
export type Operator = { op: string } & Record<string, unknown>;
export type Profile = { name: string; operators: Operator[] };
export type Terms = {
  licence: string; attribution: string; access: "click" | "open"; purposes: string[]; redistribution?: boolean; expires?: string; price?: string;
  quota?: { per: "day" | "month"; records?: number; bytes?: number }; approval?: "manual"; criteria?: string[]; justification?: string;
};
export type Release = {
  id: string; datastream: string; topic: string; kind: Kind; observed_property: string | null; unit: string | null; theme: string | null;
  description: string | null; simulated: boolean; location: Point | null;
};
export type Offer = {
  id: string; organisation: string; profile: Profile; version: number; terms: Terms; duties: string[]; simulated: boolean; created: string;
  withdrawn: string | null; licence: { id: string; name: string | null; uri: string; open: boolean | null }; releases: Release[];
};
export type Listed = {
  organisation: string; id: string; kind: Kind; observed_property: string | null; theme: string | null; personal_data: boolean; simulated: boolean;
  location: Point | null; offers: string[]; closed: string | null; unit: string | null; description: string | null; offered: Offer[];
};
export type Organisation = { id: string; name: string; contact: string | null; homepage: string | null; suspended: string | null };
export type Observation = {
  datastream: string; time: string; until?: string; value?: number | string | boolean; unit?: string; statistics?: Record<string, number | null>;
  tag?: string; epc?: string; read_point?: string; picture?: string; bytes?: number;
};
export type Entry = { seq: number; time: string; event: string; previous: string; hash: string } & Record<string, unknown>;
