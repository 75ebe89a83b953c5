import { useEffect, useState } from "preact/hooks";

/** The value as it was, until typing pauses: what is costly to draw need not follow each key. */
export function useDeferredValue<T>(value: T, pauseMs: number): T {
  const [deferred, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value]);
  return deferred;
}
