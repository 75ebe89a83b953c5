/** What the operator set for the portal: asked for once. */
import { get } from "./api";

export type Tiles = { file: string | null; server: string | null; attribution: string };
export type Setting = { sign_in: string | null; tiles: Tiles | null };

let asked: Promise<Setting> | undefined;

export function setting(): Promise<Setting> {
  return (asked ??= get<Setting>("/portal.json").catch((error: unknown) => {
    asked = undefined; // the next who asks tries again
    throw error;
  }));
}
