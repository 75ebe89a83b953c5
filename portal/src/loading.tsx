/** What is being fetched: nothing yet, an answer, or a problem that is told. */
import type { ComponentChildren, JSX } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { Problem } from "./api";
import { t } from "./words";

export type Loading<T> = { state: "waiting" } | { state: "here"; value: T } | { state: "failed"; problem: Problem };

/** Fetch it, again when `of` changes or when `again` is called; what is there stays meanwhile. */
export function useLoading<T>(fetch: () => Promise<T>, of: readonly unknown[]): [Loading<T>, () => Promise<void>] {
  const [loading, set] = useState<Loading<T>>({ state: "waiting" });
  const again = useCallback(async () => {
    try {
      set({ state: "here", value: await fetch() });
    } catch (error) {
      set({ state: "failed", problem: asProblem(error) });
    }
  }, of);
  useEffect(() => {
    let current = true;
    set({ state: "waiting" });
    fetch().then(
      (value) => current && set({ state: "here", value }),
      (error: unknown) => current && set({ state: "failed", problem: asProblem(error) }),
    );
    return () => {
      current = false;
    };
  }, of);
  return [loading, again];
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem(0, t("Something went wrong here"), String(error), "");
}

export function Shown<T>({ of, children }: { of: Loading<T>; children: (value: T) => ComponentChildren }): JSX.Element {
  if (of.state === "waiting") return <p class="waiting" role="status">{t("One moment…")}</p>;
  if (of.state === "failed") return <Trouble problem={of.problem} />;
  return <>{children(of.value)}</>;
}

export function Trouble({ problem }: { problem: Problem }): JSX.Element {
  return (
    <div class="trouble" role="alert">
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  return <div class="empty">{children}</div>;
}

/** A button that does something: it waits, and tells the problem where it was pressed. */
export function Act(properties: { does: () => Promise<void>; children: ComponentChildren; class?: string; disabled?: boolean }): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<Problem | null>(null);
  const press = async (): Promise<void> => {
    setBusy(true);
    setFailed(null);
    try {
      await properties.does();
    } catch (error) {
      setFailed(asProblem(error));
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class={properties.class ?? "button"} disabled={busy || properties.disabled} aria-busy={busy} onClick={press}>{properties.children}</button>
      {failed && <Trouble problem={failed} />}
    </>
  );
}
