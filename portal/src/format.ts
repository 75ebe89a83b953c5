/** Figures, times and codes as people read them. */
import type { Observation } from "./api";
import { locale, t, tn } from "./words";

const UNITS: Readonly<Record<string, string>> = {
  Cel: "°C", "ug/m3": "µg/m³", "[mi_i]/h": "mph", "dB[SPL]": "dB", "dB(SPL)": "dB", "1": "", deg: "°", "m3": "m³", "kW.h": "kWh",
};

export function unitName(unit: string | null | undefined): string {
  return unit ? (UNITS[unit] ?? unit.replace(/^\{(.*)\}/, "$1")) : "";
}

export function number(value: number, digits = 2): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: digits });
}

/** What a released observation says, without its unit. */
export function valueOf(one: Observation): string {
  const name = one.tag ?? one.epc;
  if (name) return `${name.slice(0, 10)}…`;
  if (one.picture) return t("picture");
  const value = one.value ?? one.statistics?.["mean"] ?? one.statistics?.["count"] ?? Object.values(one.statistics ?? {})[0];
  if (typeof value === "boolean") return value ? t("yes") : t("no");
  return typeof value === "number" ? number(value) : String(value ?? "–");
}

/** The number of it that a chart shows, or null. */
export function numeric(one: Observation): number | null {
  const value = one.value ?? one.statistics?.["mean"] ?? Object.values(one.statistics ?? {})[0];
  return typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : null;
}

export function age(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 90) return t("{n} s ago", { n: seconds });
  if (seconds < 5400) return t("{n} min ago", { n: Math.round(seconds / 60) });
  if (seconds < 129_600) return t("{n} h ago", { n: Math.round(seconds / 3600) });
  return moment(time);
}

export function moment(time: string): string {
  return new Date(time).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
}

export function size(bytes: number): string {
  const steps = ["B", "kB", "MB", "GB", "TB"];
  const step = bytes < 1000 ? 0 : Math.min(steps.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${number(bytes / 1000 ** step, step ? 1 : 0)} ${steps[step]}`;
}

/** An ISO 8601 duration in words. */
export function duration(iso: string): string {
  const [day = "", time = ""] = iso.replace("P", "").split("T");
  const parts: string[] = [];
  for (const [, n = "0", unit] of day.matchAll(/(\d+)([WDMY])/g)) {
    if (unit === "W") parts.push(tn(+n, "one week", "{n} weeks"));
    if (unit === "D") parts.push(tn(+n, "one day", "{n} days"));
  }
  for (const [, n = "0", unit] of time.matchAll(/(\d+)([HMS])/g)) {
    if (unit === "H") parts.push(tn(+n, "one hour", "{n} hours"));
    if (unit === "M") parts.push(tn(+n, "one minute", "{n} minutes"));
    if (unit === "S") parts.push(tn(+n, "one second", "{n} seconds"));
  }
  return parts.join(" ") || iso;
}

export function kindName(kind: string): string {
  return { measurement: t("measurement"), rfid: t("tag reader"), camera: t("camera") }[kind] ?? kind;
}

export function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
