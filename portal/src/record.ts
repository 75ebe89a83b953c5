/** The newest entries of the public record. */
import { call, get, getAll, type Entry, type Organisation } from "./api";

export async function lastSeq(): Promise<number> {
  return (await call<{ checkpoint: number }>("POST", "/api/v1/ledger/checkpoints")).checkpoint;
}

/** Up to `most` entries before and with `through`, the newest first. */
export async function entries(through: number, most: number): Promise<Entry[]> {
  const after = Math.max(0, through - most);
  const found = await get<Entry[]>(`/api/v1/ledger?after=${after}&limit=${Math.max(1, through - after)}`);
  return found.reverse();
}

export async function organisationNames(): Promise<ReadonlyMap<string, string>> {
  return new Map((await getAll<Organisation>("/api/v1/organisations?limit=10000")).map((one) => [one.id, one.name]));
}
