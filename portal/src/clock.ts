import { useEffect, useState } from "preact/hooks";

/** The time (ms), anew every few seconds, so that ages on the page grow. */
export function useNow(everyMs = 5_000): number {
  const [now, set] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
