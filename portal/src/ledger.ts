/**
 * The ledger's chain of hashes, checked here and not by whoever keeps it (docs/decisions/0005-ledger.md, broker/registry/ledger.py):
 *
 *     hash(entry)  = SHA-256 of the entry without `hash`, `salts` and its texts, as JSON with sorted names, no spaces, UTF-8
 *     digest(text) = HMAC-SHA-256 of the text under its salt
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

export type Line = Readonly<Record<string, unknown>>;
export type Fault = { seq: number; why: "unreadable" | "changed" | "text" | "chain" | "missing" | "checkpoint" };
export type Verdict = { entries: number; checkpoints: number; last: string; fault: Fault | null };

const BEGINNING = "0".repeat(64);
const AT_ONCE = 500; // entries between two breaths of the page

/** A number as it was written: 1.0 is not 1 to a hash. */
class Written {
  constructor(readonly source: string) {}
}

type Context = { source?: string };
const keepNumbers = (_: string, value: unknown, context?: Context): unknown => (typeof value === "number" && context?.source ? new Written(context.source) : value);

export function parse(line: string): Line {
  return (JSON.parse as (text: string, reviver: typeof keepNumbers) => Line)(line, keepNumbers);
}

function canonical(value: unknown): string {
  if (value instanceof Written) return value.source;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical((value as Line)[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

const numberOf = (value: unknown): number => Number(value instanceof Written ? value.source : value);

/** Check an export, line by line: each entry's hash, each text's digest, each link to the one before, each checkpoint. */
export async function verify(lines: readonly string[], progress: (done: number) => void = () => {}): Promise<Verdict> {
  const verdict: Verdict = { entries: 0, checkpoints: 0, last: BEGINNING, fault: null };
  for (const [i, text] of lines.entries()) {
    let line: Line;
    try {
      line = parse(text);
    } catch {
      return { ...verdict, fault: { seq: verdict.entries + 1, why: "unreadable" } };
    }
    const fault = "checkpoint" in line ? checkpointFault(line, verdict) : entryFault(line, verdict);
    if (fault) return { ...verdict, fault };
    if (i % AT_ONCE === 0) {
      progress(verdict.entries);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  return verdict;
}

function entryFault(entry: Line, verdict: Verdict): Fault | null {
  const seq = numberOf(entry["seq"]);
  if (seq !== verdict.entries + 1) return { seq: verdict.entries + 1, why: "missing" };
  const digests = (entry["digests"] ?? {}) as Record<string, string>;
  const salts = (entry["salts"] ?? {}) as Record<string, string>;
  const hashed = Object.fromEntries(Object.entries(entry).filter(([name]) => name !== "hash" && name !== "salts" && !(name in digests)));
  if (bytesToHex(sha256(utf8ToBytes(canonical(hashed)))) !== entry["hash"]) return { seq, why: "changed" };
  if (entry["previous"] !== verdict.last) return { seq, why: "chain" };
  for (const [name, digest] of Object.entries(digests)) {
    const text = entry[name];
    if (text === undefined) continue; // erased, which the chain allows
    const salt = salts[name];
    if (typeof text !== "string" || !salt || bytesToHex(hmac(sha256, hexToBytes(salt), utf8ToBytes(text))) !== digest) return { seq, why: "text" };
  }
  verdict.entries = seq;
  verdict.last = String(entry["hash"]);
  return null;
}

function checkpointFault(checkpoint: Line, verdict: Verdict): Fault | null {
  const seq = numberOf(checkpoint["checkpoint"]);
  if (seq === verdict.entries && checkpoint["hash"] !== verdict.last) return { seq, why: "checkpoint" };
  if (seq > verdict.entries) return { seq: verdict.entries + 1, why: "missing" };
  verdict.checkpoints += 1;
  return null;
}
