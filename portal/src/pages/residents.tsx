/** For residents: what is held about a tag of theirs, consent and its withdrawal, with a one-time code and without any account. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api";
import { moment } from "../format";
import { Act, Empty } from "../loading";
import { Link } from "../router";
import { Secret } from "../secret";
import { t, tn } from "../words";

type Held = { consents: { purpose: string; given: string; withdrawn: string | null }[]; reads: { organisation: string; datastream: string; time: string }[]; complete: boolean; code: string };
type Done = { said: string; code: string; held?: Held };

export function ResidentsPage(): JSX.Element {
  return (
    <div class="column">
      <h1>{t("For residents")}</h1>
      <p class="lead">{t("You can see which sensors stand where and who reads them, and decide about the tags that you carry.")}</p>
      <div class="cards">
        <Link class="card door" href="/"><h2>{t("Which sensors are there?")}</h2><p>{t("The map has every one, also those that are closed.")}</p></Link>
        <Link class="card door" href="/transparency"><h2>{t("Who reads them?")}</h2><p>{t("Every agreement, with its purpose, and every refusal.")}</p></Link>
        <Link class="card door" href="/requests"><h2>{t("What is asked for?")}</h2><p>{t("Requests for more, and what owners answer.")}</p></Link>
      </div>
      <Tag />
      <section aria-labelledby="never">
        <h2 id="never">{t("What never leaves")}</h2>
        <ul class="steps">
          <li>{t("A tag as it was read.")} <span>{t("Only counts of at least five people, or names that change, of whoever consented.")}</span></li>
          <li>{t("A face or a number plate that was found.")} <span>{t("It is covered before the picture leaves; no raw picture is ever stored.")}</span></li>
          <li>{t("A place that its owner declared private.")} <span>{t("Only the middle of its cell is told.")}</span></li>
        </ul>
      </section>
    </div>
  );
}

function Tag(): JSX.Element {
  const [tag, setTag] = useState("");
  const [code, setCode] = useState("");
  const [purposes, setPurposes] = useState("research");
  const [erase, setErase] = useState(true);
  const [done, setDone] = useState<Done | null>(null);
  const ready = tag.trim() !== "" && code.trim() !== "";
  const ask = async <T extends { code: string }>(path: string, more: object, said: (answer: T) => Omit<Done, "code">): Promise<void> => {
    const answer = await call<T>("POST", `/api/v1/consents${path}`, { tag: tag.trim(), code: code.trim(), ...more });
    setCode(answer.code);
    setDone({ ...said(answer), code: answer.code });
  };
  return (
    <section aria-labelledby="tag" class="card">
      <h2 id="tag">{t("A tag of yours")}</h2>
      <p>{t("A transport card, a library book, a wristband: whoever gave it to you can give you a one-time code for it. Each answer here gives you the next code.")}</p>
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <div class="row">
          <label><span>{t("The tag’s number")}</span><input value={tag} placeholder="urn:epc:id:sgtin:…" onInput={(event) => setTag(event.currentTarget.value)} spellcheck={false} /></label>
          <label><span>{t("One-time code")}</span><input value={code} placeholder="ABCD-EFGH-JKLM" autocomplete="one-time-code" onInput={(event) => setCode(event.currentTarget.value)} spellcheck={false} /></label>
        </div>
        <div class="actions"><Act class="button second" disabled={!ready} does={() => ask<Held>("/export", {}, (held) => ({ said: t("This is what is held about the tag."), held }))}>{t("What is held about it?")}</Act></div>
        <fieldset>
          <legend>{t("Consent")}</legend>
          <label><span>{t("For which purposes")}</span><input value={purposes} onInput={(event) => setPurposes(event.currentTarget.value)} /><span class="hint">{t("Separated by blanks; any: all of them. Its reads are shown by changing names, from now on.")}</span></label>
          <div class="actions"><Act disabled={!ready || !purposes.trim()} does={() => ask<{ code: string }>("", { purposes: purposes.trim().split(/[\s,]+/) }, () => ({ said: t("You consented. It holds from now on, until you withdraw it.") }))}>{t("Consent")}</Act></div>
        </fieldset>
        <fieldset>
          <legend>{t("Withdraw")}</legend>
          <label class="check"><input type="checkbox" checked={erase} onChange={(event) => setErase(event.currentTarget.checked)} /> {t("Also erase what was read and shown before")}</label>
          <div class="actions"><Act class="button danger" disabled={!ready} does={() => ask<{ code: string }>("/withdrawal", { erase }, () => ({ said: t("Withdrawn. Nothing of the tag is released any more.") }))}>{t("Withdraw all consents")}</Act></div>
        </fieldset>
      </form>
      <div role="status">
        {done && <div class="stack"><p class="done"><strong>{done.said}</strong></p><Secret name={t("Your next code")} value={done.code} />{done.held && <HeldShown held={done.held} />}</div>}
      </div>
    </section>
  );
}

function HeldShown({ held }: { held: Held }): JSX.Element {
  return (
    <>
      <h3>{t("Consents")}</h3>
      {held.consents.length ? <ul class="plain">{held.consents.map((one) => <li key={one.purpose + one.given}>{one.purpose}: {moment(one.given)}{one.withdrawn && ` – ${moment(one.withdrawn)}`}</li>)}</ul> : <Empty><p>{t("None: nothing of it is shown.")}</p></Empty>}
      <h3>{tn(held.reads.length, "{n} read", "{n} reads")}{!held.complete && "+"}</h3>
      {held.reads.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("Reads")}>
          <table><thead><tr><th scope="col">{t("Time")}</th><th scope="col">{t("Reader")}</th></tr></thead><tbody>{held.reads.slice(-200).reverse().map((one) => <tr key={one.time}><td>{moment(one.time)}</td><td>{one.organisation}/{one.datastream}</td></tr>)}</tbody></table>
        </div>
      )}
    </>
  );
}
