/** Addresses: which page is shown, and what of it. A link can be shared, opened in a tab and gone back from. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

const told = new Set<() => void>();

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  const before = location.pathname;
  history[options.replace ? "replaceState" : "pushState"](null, "", to);
  for (const tell of told) tell();
  if (location.pathname !== before) {
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true }); // a screen reader begins at the new page
  }
}

export function useAddress(): URL {
  const [address, set] = useState(() => new URL(location.href));
  useEffect(() => {
    const tell = (): void => set(new URL(location.href));
    told.add(tell);
    addEventListener("popstate", tell);
    return () => {
      told.delete(tell);
      removeEventListener("popstate", tell);
    };
  }, []);
  return address;
}

/** Change this address's query; what is empty is left out. */
export function setQuery(changes: Readonly<Record<string, string>>): void {
  const next = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.searchParams.set(name, value);
    else next.searchParams.delete(name);
  }
  navigate(`${next.pathname}${next.search}`, { replace: true });
}

type LinkProperties = {
  href: string;
  children?: ComponentChildren;
  class?: string;
  "aria-current"?: "page" | undefined;
  "aria-label"?: string;
};

export function Link(properties: LinkProperties): JSX.Element {
  const follow = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(properties.href);
  };
  return <a {...properties} onClick={follow} />;
}
