/** A release's history as a chart shows it: coarser the longer the span, and with new values as they come. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { call, type Observation, type Problem } from "./api";
import type { Series } from "./chart";
import { duration, numeric } from "./format";
import { listen } from "./live";
import { asProblem } from "./loading";

export const HISTORY_SPANS = [
  { name: "1 hour", seconds: 3_600 },
  { name: "6 hours", seconds: 21_600 },
  { name: "1 day", seconds: 86_400 },
  { name: "1 week", seconds: 604_800 },
  { name: "30 days", seconds: 2_592_000 },
] as const;
const POINTS = 600; // about as many as a chart has pixels for, at two pixels each
const INTERVALS = ["PT1M", "PT5M", "PT15M", "PT1H", "PT6H", "P1D"] as const;
const SECONDS: Readonly<Record<(typeof INTERVALS)[number], number>> = { PT1M: 60, PT5M: 300, PT15M: 900, PT1H: 3_600, PT6H: 21_600, P1D: 86_400 };
const MOST = 10_000;

/** The interval to ask for: none where every value fits, which is tried up to six hours of values a minute or slower. */
export function intervalFor(spanS: number): (typeof INTERVALS)[number] | null {
  if (spanS <= 21_600) return null;
  return INTERVALS.find((one) => spanS / SECONDS[one] <= POINTS) ?? "P1D";
}

export type History = {
  data: Series; span: number; range: readonly [number, number] | null; interval: string; waiting: boolean; problem: Problem | null;
  last: (seconds: number) => void; zoom: (from: number, to: number) => void;
};

const EMPTY: Series = { times: [], values: [[]] };

export function useHistory(release: string): History {
  const [span, setSpan] = useState<number>(3_600);
  const [range, setRange] = useState<readonly [number, number] | null>(null);
  const [data, setData] = useState<Series>(EMPTY);
  const [waiting, setWaiting] = useState(true);
  const [problem, setProblem] = useState<Problem | null>(null);
  const interval = intervalFor(range ? range[1] - range[0] : span);
  const asked = useRef(0);

  useEffect(() => {
    const turn = ++asked.current;
    setWaiting(true);
    const end = range?.[1] ?? Date.now() / 1000;
    fetchSeries(release, range?.[0] ?? end - span, range ? end : null, interval).then(
      (found) => {
        if (turn !== asked.current) return;
        setData(found);
        setProblem(null);
        setWaiting(false);
      },
      (error: unknown) => turn === asked.current && setProblem(asProblem(error)),
    );
  }, [release, span, range?.[0], range?.[1]]);

  useEffect(() => {
    if (range || interval) return undefined; // a past part stays as it is, and a mean is not drawn of what still comes
    return listen([release], (_, one) => setData((before) => appended(before, one, span)));
  }, [release, span, range, interval]);

  const last = useCallback((seconds: number) => { setRange(null); setSpan(seconds); }, []);
  const zoom = useCallback((from: number, to: number) => setRange([from, Math.max(to, from + 30)]), []);
  return { data, span, range, interval: interval ? duration(interval) : "", waiting, problem, last, zoom };
}

async function fetchSeries(release: string, from: number, to: number | null, interval: string | null): Promise<Series> {
  const query = new URLSearchParams({ start: new Date(from * 1000).toISOString(), limit: String(MOST), format: "json" });
  if (to !== null) query.set("end", new Date(to * 1000).toISOString());
  if (interval) query.set("interval", interval);
  const { observations } = await call<{ observations: Observation[] }>("GET", `/api/v1/releases/${release}/observations?${query}`);
  return { times: observations.map((one) => Date.parse(one.time) / 1000), values: [observations.map(numeric)] };
}

function appended(before: Series, one: Observation, span: number): Series {
  const time = Date.parse(one.time) / 1000;
  const newest = before.times.at(-1);
  if (newest !== undefined && time <= newest) return before;
  const from = before.times.findIndex((earlier) => earlier >= time - span);
  const kept = from < 0 ? before.times.length : from;
  return { times: [...before.times.slice(kept), time], values: [[...before.values[0]!.slice(kept), numeric(one)]] };
}
