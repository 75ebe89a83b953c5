/** A line of values over time (uPlot). Its range is its caller's, who fetches what it shows. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { onAppearance } from "./appearance";
import { number } from "./format";
import { locale } from "./words";

export type Series = { times: number[]; values: (number | null)[][] };
type Properties = {
  data: Series;
  names: readonly string[];
  unit: string;
  /** What it shows, for those who don't see it. */
  label: string;
  height?: number;
  /** The reader chose a part of it: from and to, in seconds since 1970. */
  onRange?: (from: number, to: number) => void;
};

export function Chart(properties: Properties): JSX.Element {
  const at = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef(properties);
  now.current = properties;

  useEffect(() => {
    const element = at.current!;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, now), rows(now.current.data), element);
    };
    make();
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: now.current.height ?? 260 }));
    watch.observe(element);
    const stop = onAppearance(make);
    return () => {
      stop();
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [properties.names.join()]);
  useEffect(() => plot.current?.setData(rows(properties.data)), [properties.data]);

  return <div ref={at} class="chart" role="img" aria-label={properties.label} />;
}

const rows = ({ times, values }: Series): uPlot.AlignedData => [times, ...values] as uPlot.AlignedData;

function options(element: HTMLElement, now: { current: Properties }): uPlot.Options {
  const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name).trim();
  const { names, unit } = now.current;
  const axis: uPlot.Axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1, size: 4 }, font: "12px 'Public Sans Variable', sans-serif" };
  const lines = [colour("--accent"), colour("--warm"), colour("--muted")];
  return {
    width: element.clientWidth,
    height: now.current.height ?? 260,
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    legend: { live: true },
    axes: [{ ...axis, values: (_, splits, __, ___, step) => splits.map((one) => tick(one, step)) }, { ...axis, size: 58, values: (_, splits) => splits.map((one) => number(one)) }],
    series: [
      { value: (_, time) => (time === null ? "" : new Date(time * 1000).toLocaleString(locale())) },
      ...names.map((label, i): uPlot.Series => ({
        label, stroke: lines[i % lines.length]!, width: 1.8, spanGaps: false, points: { show: (now.current.data.times.length < 60) as boolean, size: 5 },
        value: (_, value) => (value === null || value === undefined ? "–" : `${number(value)} ${unit}`),
      })),
    ],
    hooks: {
      setSelect: [
        (u) => {
          const from = u.posToVal(u.select.left, "x");
          const to = u.posToVal(u.select.left + u.select.width, "x");
          if (u.select.width > 6) now.current.onRange?.(from, to);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function tick(time: number, step: number): string {
  const date = new Date(time * 1000);
  if (step >= 86_400) return date.toLocaleDateString(locale(), { day: "numeric", month: "short" });
  return date.toLocaleTimeString(locale(), { hourCycle: "h23", hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) });
}
