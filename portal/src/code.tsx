/** The same thing said in several languages, one shown at a time, to be copied. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { t } from "./words";

export function Code({ of }: { of: readonly (readonly [string, string])[] }): JSX.Element {
  const [chosen, choose] = useState(0);
  const text = of[chosen]?.[1] ?? "";
  return (
    <div class="code">
      <div class="code-bar">
        <div role="group" aria-label={t("Language of the example")}>
          {of.map(([name], i) => <button type="button" key={name} aria-pressed={i === chosen} onClick={() => choose(i)}>{name}</button>)}
        </div>
        <Copy text={text} />
      </div>
      <pre tabIndex={0} aria-label={of[chosen]?.[0]}><code>{text}</code></pre>
    </div>
  );
}

export function Copy({ text }: { text: string }): JSX.Element {
  const [copied, set] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    set(true);
    setTimeout(() => set(false), 2_000);
  };
  return <button type="button" class="copy" onClick={() => void copy()}><span role="status">{copied ? t("Copied") : t("Copy")}</span></button>;
}
