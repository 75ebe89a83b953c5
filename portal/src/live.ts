/** Released values as they come, over Server-Sent Events. */
import type { Observation } from "./api";

export type Ended = { reason: string };

/** Listen to these releases (those that anyone may read); returns how to stop. `heard` gets the release's id. */
export function listen(
  releases: readonly string[],
  heard: (release: string, observation: Observation) => void,
  state: (live: boolean) => void = () => {},
  ended: (why: Ended) => void = () => {},
): () => void {
  if (!releases.length) return () => {};
  const query = releases.map((one) => `release=${encodeURIComponent(one)}`).join("&");
  const source = new EventSource(`/api/v1/live?${query}`);
  source.onopen = () => state(true);
  source.onerror = () => state(false); // the browser tries again by itself
  source.addEventListener("end", (event) => {
    source.close();
    state(false);
    ended(JSON.parse((event as MessageEvent<string>).data) as Ended);
  });
  for (const release of releases) {
    source.addEventListener(release, (event) => heard(release, JSON.parse((event as MessageEvent<string>).data) as Observation));
  }
  return () => source.close();
}
