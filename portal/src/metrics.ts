/** Prometheus's text format (https://prometheus.io/docs/instrumenting/exposition_formats/), as far as the broker writes it. */
export type Sample = { name: string; labels: Readonly<Record<string, string>>; value: number };

export function parseMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
    return [{ name: found[1]!, labels: labels as Record<string, string>, value: Number(found[3]) }];
  });
}

export function total(samples: readonly Sample[], name: string): number {
  return samples.filter((one) => one.name === name).reduce((sum, one) => sum + one.value, 0);
}

/** From a histogram's buckets: below which bound this share of what was measured lies; null without any. */
export function quantile(samples: readonly Sample[], name: string, share: number): number | null {
  const buckets = new Map<number, number>();
  for (const one of samples) {
    if (one.name === `${name}_bucket`) buckets.set(Number(one.labels["le"]?.replace("+Inf", "Infinity")), (buckets.get(Number(one.labels["le"]?.replace("+Inf", "Infinity"))) ?? 0) + one.value);
  }
  const all = Math.max(0, ...buckets.values());
  if (!all) return null;
  return [...buckets].sort((a, b) => a[0] - b[0]).find(([, count]) => count >= all * share)?.[0] ?? null;
}

/** By one label, the largest first. */
export function by(samples: readonly Sample[], name: string, label: string): [string, number][] {
  const sums = new Map<string, number>();
  for (const one of samples) if (one.name === name) sums.set(one.labels[label] ?? "", (sums.get(one.labels[label] ?? "") ?? 0) + one.value);
  return [...sums].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
}
