/** The public record, and a button that proves it: the chain is recomputed in this browser. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { problem, type Entry } from "../api";
import { said, sentence, withOffers } from "../events";
import { moment } from "../format";
import { verify, type Verdict } from "../ledger";
import { Act, Empty, Shown, useLoading } from "../loading";
import { entries, lastSeq, organisationNames } from "../record";
import { number } from "../format";
import { t, tn } from "../words";

const A_PAGE = 100;

export function LedgerPage(): JSX.Element {
  return (
    <div class="column wide">
      <h1>{t("The public ledger")}</h1>
      <p class="lead">{t("Every offer, agreement, refusal and revocation, who and for what purpose. Each entry carries the hash of the one before, so nothing can be changed or left out later without it showing.")}</p>
      <Check />
      <Entries />
    </div>
  );
}

function Check(): JSX.Element {
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [done, setDone] = useState(0);
  const check = async (lines: string[]): Promise<void> => {
    setVerdict(null);
    setVerdict(await verify(lines.filter((line) => line.trim()), setDone));
    setDone(0);
  };
  const whole = async (): Promise<void> => {
    const answer = await fetch("/api/v1/ledger?format=ndjson");
    if (!answer.ok) throw await problem(answer);
    await check((await answer.text()).split("\n"));
  };
  return (
    <section aria-labelledby="check" class="card">
      <h2 id="check">{t("Don’t trust it: check it")}</h2>
      <p>{t("This browser fetches the whole ledger and computes every hash again. A copy that you keep can be checked the same way, also against today’s.")}</p>
      <div class="actions">
        <Act does={whole}>{t("Verify the chain now")}</Act>
        <label class="button second">{t("Verify a copy of mine…")}
          <input type="file" class="hidden" accept=".ndjson,.json,.txt,application/x-ndjson" onChange={async (event) => { const file = event.currentTarget.files?.[0]; if (file) await check((await file.text()).split("\n")); }} />
        </label>
        <a class="button second" href="/api/v1/ledger?format=ndjson" download="ledger.ndjson">{t("Keep a copy")}</a>
      </div>
      <div role="status">
        {done > 0 && <p class="note">{tn(done, "{n} entry checked…", "{n} entries checked…")}</p>}
        {verdict && <Told verdict={verdict} />}
      </div>
    </section>
  );
}

function Told({ verdict }: { verdict: Verdict }): JSX.Element {
  const { fault, entries: count, checkpoints, last } = verdict;
  if (!count && !fault) return <p class="trouble"><strong>{t("This file has no entries.")}</strong></p>;
  if (!fault) {
    return (
      <div class="done">
        <strong>{t("The chain holds.")}</strong>
        <p>{tn(count, "{n} entry recomputed, every hash as it says.", "{n} entries recomputed, every hash as it says.")} {tn(checkpoints, "{n} signed checkpoint agrees.", "{n} signed checkpoints agree.")}</p>
        <p class="note">{t("Its last hash; note it, and nobody can change what was before without you knowing:")} <code class="hash">{last}</code></p>
      </div>
    );
  }
  const why = {
    unreadable: t("It can’t be read."),
    changed: t("What it says is not what its hash was made of: it was changed."),
    text: t("A text of it is not what its digest was made of: it was changed."),
    chain: t("It does not follow from the one before: something was changed or put in between."),
    missing: t("It is missing: it was left out or cut off."),
    checkpoint: t("A signed checkpoint says that the ledger was another here."),
  }[fault.why];
  return (
    <div class="trouble">
      <strong>{t("The chain does not hold at entry {n}.", { n: fault.seq })}</strong>
      <p>{why} {tn(count, "{n} entry before it holds.", "{n} entries before it hold.")}</p>
    </div>
  );
}

function Entries(): JSX.Element {
  const [shown, setShown] = useState(A_PAGE);
  const [record] = useLoading(async () => {
    const [last, names] = await Promise.all([lastSeq(), organisationNames()]);
    const found = await entries(last, shown);
    return { last, names: withOffers(names, found), found };
  }, [shown]);
  return (
    <section aria-labelledby="entries">
      <h2 id="entries">{t("What was recorded, the newest first")}</h2>
      <Shown of={record}>
        {({ last, names, found }) =>
          found.length ? (
            <>
              <ol class="record">{found.map((entry) => <Recorded key={entry.seq} entry={entry} names={names} />)}</ol>
              {shown < last && <button type="button" class="button second" onClick={() => setShown(shown + A_PAGE * 4)}>{t("Show older ones")}</button>}
            </>
          ) : <Empty><p>{t("Nothing is on record yet. It begins when the first organisation joins.")}</p></Empty>
        }
      </Shown>
    </section>
  );
}

function Recorded({ entry, names }: { entry: Entry; names: ReadonlyMap<string, string> }): JSX.Element {
  const written = said(entry);
  return (
    <li>
      <span class="seq">{number(entry.seq)}</span>
      <div>
        <p>{sentence(entry, names)}{written && <q>{written}</q>}</p>
        <p class="note"><time dateTime={entry.time}>{moment(entry.time)}</time> · <code title={entry.hash}>{entry.hash.slice(0, 12)}…</code></p>
      </div>
    </li>
  );
}
