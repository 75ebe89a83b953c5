import { capital } from "./format";
import { t } from "./words";

/** A colour for each theme, the same on the map and beside it; told apart also by those who see few colours (after Okabe and Ito). */
const COLOURS: Readonly<Record<string, string>> = {
  air: "#6f4fb3", "air quality": "#6f4fb3", weather: "#2b7bba", noise: "#b0377b", traffic: "#c4511d", mobility: "#c4511d", parking: "#8a6d0b",
  rfid: "#2d7d5a", trees: "#3d7d2c", water: "#1180a0", energy: "#a33b2a", waste: "#6b5b4b",
};
const OTHERS = ["#5b6c7d", "#80603a", "#4c6f4a", "#74507f", "#2f6f7d"];

export function themeColour(theme: string | null | undefined): string {
  if (!theme) return OTHERS[0]!;
  return COLOURS[theme.toLowerCase()] ?? OTHERS[[...theme].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % OTHERS.length]!;
}

export function themeName(theme: string): string {
  return theme === "rfid" ? "RFID" : capital(t(theme));
}
