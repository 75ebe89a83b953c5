/** For the operator: whether every part does its work, how much goes through, what waits and what is refused; all of it from /metrics. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, getAll, problem, Problem } from "../api";
import { Chart, type Series } from "../chart";
import { number, size } from "../format";
import { Act, asProblem, Empty, Shown, Trouble, useLoading } from "../loading";
import { by, parseMetrics, quantile, total, type Sample } from "../metrics";
import { Link } from "../router";
import { useSession } from "../session";
import { t, tn } from "../words";

const LOOK_MS = 2_000;
const KEPT = 150; // five minutes of them
type Moment = { time: number; samples: Sample[] };

export function OperatorPage(): JSX.Element {
  const session = useSession();
  if (session === undefined) return <div class="column wide" />;
  return (
    <div class="column wide">
      <h1>{t("Operation")}</h1>
      {session?.role === "operator" ? <Health /> : <><p class="lead">{t("Whether every part does its work. For whoever runs this broker.")}</p><p>{t("The operator’s key is in the file operator.key of the broker’s home.")}</p><Link class="button" href="/sign-in?to=/operator">{t("Sign in")}</Link></>}
    </div>
  );
}

function Health(): JSX.Element {
  const [moments, setMoments] = useState<Moment[]>([]);
  const [ready, setReady] = useState<{ ok: boolean; why: string } | null>(null);
  const [failed, setFailed] = useState<Problem | null>(null);
  useEffect(() => {
    const look = async (): Promise<void> => {
      try {
        const [metrics, readiness] = await Promise.all([fetch("/metrics"), fetch("/readyz")]);
        if (!metrics.ok) throw await problem(metrics);
        const next = { time: Date.now() / 1000, samples: parseMetrics(await metrics.text()) };
        setReady({ ok: readiness.ok, why: readiness.ok ? "" : (await problem(readiness)).detail });
        setMoments((before) => [...before, next].slice(-KEPT));
        setFailed(null);
      } catch (error) {
        setFailed(asProblem(error));
      }
    };
    void look();
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const last = moments.at(-1)?.samples;
  if (failed && !last) return <Trouble problem={failed} />;
  if (!last) return <p class="waiting" role="status">{t("One moment…")}</p>;
  return (
    <>
      <div role="status">{ready?.ok ? <div class="done"><strong>{t("Everything works.")}</strong> {t("Messages are taken in, kept, released and published.")}</div> : <div class="trouble"><strong>{t("Not ready")}</strong><p>{ready?.why}</p></div>}</div>
      {failed && <Trouble problem={failed} />}
      <Rates moments={moments} />
      <Waiting samples={last} />
      <div class="halves">
        <Counted id="refused" title={t("Refused, by reason")} rows={by(last, "mitoyen_records_refused_total", "reason")} none={t("Nothing was refused.")} />
        <Counted id="withheld" title={t("Withheld, by reason")} rows={by(last, "mitoyen_release_withheld_total", "reason")} none={t("Nothing was withheld.")} />
        <Counted id="slowest" title={t("Slowest releases")} rows={by(last, "mitoyen_release_delay_seconds", "release").slice(0, 10)} none={t("Nothing was released yet.")} said={(seconds) => t("{n} s", { n: number(seconds, 1) })} />
        <Counted id="behind" title={t("Releases that have most waiting")} rows={by(last, "mitoyen_release_waiting", "release").slice(0, 10)} none={t("No release waits for anything.")} />
        <Counted id="largest" title={t("Releases that show most")} rows={by(last, "mitoyen_release_delivered_total", "release").slice(0, 10)} none={t("Nothing was released yet.")} />
      </div>
      <Signups />
      <p class="note">{t("All of it is at /metrics for Prometheus, with the operator’s key.")}</p>
    </>
  );
}

function Rates({ moments }: { moments: readonly Moment[] }): JSX.Element {
  const rates = (name: string): number[] => moments.slice(1).map((one, i) => Math.max(0, (total(one.samples, name) - total(moments[i]!.samples, name)) / (one.time - moments[i]!.time)));
  const taken = rates("mitoyen_records_accepted_total");
  const published = rates("mitoyen_messages_published_total");
  const data: Series = { times: moments.slice(1).map((one) => one.time), values: [taken, published] };
  return (
    <section aria-labelledby="rates">
      <h2 id="rates">{t("Rates")}</h2>
      {moments.length < 3 ? <p class="waiting">{t("One moment…")}</p> : <Chart data={data} names={[t("records taken in"), t("messages published")]} unit="/s" height={200} label={t("Records taken in and messages published each second; now {a} and {b}.", { a: number(taken.at(-1) ?? 0, 1), b: number(published.at(-1) ?? 0, 1) })} />}
    </section>
  );
}

function Waiting({ samples }: { samples: readonly Sample[] }): JSX.Element {
  const commit = quantile(samples, "mitoyen_journal_commit_seconds", 0.99);
  const frame = quantile(samples, "mitoyen_frame_seconds", 0.99);
  const ms = (seconds: number | null): string => (seconds === null ? "–" : seconds === Infinity ? t("longer than measured") : `≤ ${number(seconds * 1000)} ms`);
  const facts: [string, string][] = [
    [t("Journal in use"), size(total(samples, "mitoyen_journal_bytes"))],
    [t("Batches that the store is behind"), number(total(samples, "mitoyen_store_behind_batches"))],
    [t("Times that the store did not answer"), number(total(samples, "mitoyen_store_failures_total"))],
    [t("Times that the journal was full"), number(total(samples, "mitoyen_journal_full_total"))],
    [t("Writing a batch, 99 of 100"), ms(commit)],
    [t("Covering a frame, 99 of 100"), ms(frame)],
    [t("Streams that are open"), number(total(samples, "mitoyen_live_streams"))],
    [t("Events that readers were too slow for"), number(total(samples, "mitoyen_live_dropped_total"))],
    [t("Records stored"), number(total(samples, "mitoyen_records_stored_total"))],
    [t("Records released"), number(total(samples, "mitoyen_records_released_total"))],
  ];
  return <section aria-labelledby="queue"><h2 id="queue">{t("Queue and store")}</h2><dl class="figures small">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl></section>;
}

function Counted({ id, title, rows, none, said = number }: { id: string; title: string; rows: [string, number][]; none: string; said?: (n: number) => string }): JSX.Element {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {rows.length ? <div class="scroll" tabIndex={0} role="region" aria-label={title}><table><tbody>{rows.map(([name, n]) => <tr key={name}><th scope="row">{(name.startsWith("release-") ? name : name.replaceAll("_", " ")) || t("in all")}</th><td class="figure">{said(n)}</td></tr>)}</tbody></table></div> : <Empty><p>{none}</p></Empty>}
    </section>
  );
}

type Signup = { signup: string; name: string; contact: string | null; statement: string | null };

function Signups(): JSX.Element {
  const [waiting, again] = useLoading(() => getAll<Signup>("/api/v1/signups?limit=1000"), []);
  return (
    <section aria-labelledby="signups">
      <h2 id="signups">{t("Organisations that wish to join")}</h2>
      <Shown of={waiting}>
        {(all) => all.length ? (
          <>
            <p>{tn(all.length, "{n} waits for your decision.", "{n} wait for your decision.")}</p>
            {all.map((one) => (
              <article class="card" key={one.signup}><h3>{one.name}</h3><p>{one.statement ?? t("It said nothing of itself.")}</p><div class="actions"><Act does={async () => { await call("POST", `/api/v1/signups/${one.signup}/decision`, { grant: true }); await again(); }}>{t("Grant")}</Act></div></article>
            ))}
          </>
        ) : <Empty><p>{t("Nobody waits.")}</p></Empty>}
      </Shown>
    </section>
  );
}
