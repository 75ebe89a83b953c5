/** Server-Sent Events with a key, which EventSource can't send: read from a fetch as they come. */
import { problem } from "./api";

export type Event = { name: string; data: string };

/** Gives each event until the stream ends or `signal` stops it. Throws Problem. */
export async function events(path: string, key: string, signal: AbortSignal, heard: (event: Event) => void, opened: () => void): Promise<void> {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${key}`, Accept: "text/event-stream" }, signal, credentials: "omit" });
  if (!answer.ok || !answer.body) throw await problem(answer);
  opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (rest + part.value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const event of blocks.map(parsed)) if (event) heard(event);
  }
}

function parsed(block: string): Event | null {
  let name = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length ? { name, data: data.join("\n") } : null;
}
