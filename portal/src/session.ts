/** Who is signed in. The session itself is a cookie that no script can read. */
import { useEffect, useState } from "preact/hooks";
import { call, get, setCsrf } from "./api";

export type Session = { role: "organisation" | "application" | "operator"; id: string; name: string; scopes: string[]; expires: string; csrf: string };

let current: Session | null | undefined;
const told = new Set<() => void>();

function become(next: Session | null): void {
  current = next;
  setCsrf(next?.csrf ?? "");
  for (const tell of told) tell();
}

export async function loadSession(): Promise<void> {
  become(await get<Session | null>("/session"));
}

export async function signIn(key: string): Promise<Session> {
  const made = await call<Session>("POST", "/session", { key });
  become(made);
  return made;
}

export async function signOut(): Promise<void> {
  await call("DELETE", "/session");
  become(null);
}

/** undefined: not known yet; null: nobody. */
export function useSession(): Session | null | undefined {
  const [, again] = useState(0);
  useEffect(() => {
    const tell = (): void => again((n) => n + 1);
    told.add(tell);
    tell(); // it may have become known between drawing and now
    return () => {
      told.delete(tell);
    };
  }, []);
  return current;
}
