/** Light, dark, or as the system has it: what the reader chose is kept in this browser. */
export type Appearance = "system" | "light" | "dark";

const KEPT = "mitoyen-appearance";
const dark = matchMedia("(prefers-color-scheme: dark)");
const told = new Set<() => void>();

export function appearance(): Appearance {
  const kept = localStorage.getItem(KEPT);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function isDark(): boolean {
  return appearance() === "dark" || (appearance() === "system" && dark.matches);
}

export function choose(next: Appearance): void {
  localStorage.setItem(KEPT, next);
  applyAppearance();
}

export function applyAppearance(): void {
  document.documentElement.dataset["appearance"] = isDark() ? "dark" : "light";
  for (const tell of told) tell();
}

/** Call `tell` whenever it changes; returns how to stop that. */
export function onAppearance(tell: () => void): () => void {
  told.add(tell);
  return () => told.delete(tell);
}

dark.addEventListener("change", applyAppearance);
