/** Requests for data that is closed: who asks, who stands behind it, and what the owner answers. And disputes, with their rulings. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, getAll } from "../api";
import { moment } from "../format";
import { Act, Empty, Shown, useLoading } from "../loading";
import { organisationNames } from "../record";
import { Link, useAddress } from "../router";
import { useSession } from "../session";
import { t, tn } from "../words";
import { Complain, overName, Ruling } from "./disputes";

type Answer = { outcome: "opened" | "will_open" | "declined"; text: string; time: string; offer: string | null };
type Wish = { id: string; by: string; of: string; datastream: string | null; offer: string | null; wish: string; created: string; supporters: string[]; answer: Answer | null };
type Dispute = { id: string; by: string; against: string; over: string; statement: string; created: string; ruling: { upheld: boolean; reasons: string; time: string } | null };
type Proceedings = { wishes: Wish[]; disputes: Dispute[]; names: ReadonlyMap<string, string> };

async function load(): Promise<Proceedings> {
  const [wishes, disputes, names] = await Promise.all([getAll<Wish>("/api/v1/requests?limit=1000"), getAll<Dispute>("/api/v1/disputes?limit=1000"), organisationNames()]);
  const newest = <T extends { created: string }>(all: T[]): T[] => all.sort((a, b) => b.created.localeCompare(a.created));
  return { wishes: newest(wishes), disputes: newest(disputes), names };
}

export function RequestsPage(): JSX.Element {
  const [all, again] = useLoading(load, []);
  const query = useAddress().searchParams;
  return (
    <div class="column">
      <h1>{t("Ask for data")}</h1>
      <p class="lead">{t("What is closed can be asked for in public. Others stand behind it, and its owner answers for everyone to read.")}</p>
      {query.get("over") && <Complain over={query.get("over")!} agreement={query.get("agreement")} request={query.get("request")} done={again} />}
      {query.get("of") && <Ask of={query.get("of")!} datastream={query.get("datastream") ?? ""} asked={again} />}
      <Shown of={all}>
        {({ wishes, disputes, names }) => (
          <>
            <section aria-labelledby="requests">
              <div class="heading"><h2 id="requests">{t("Requests")}</h2><a href="/api/v1/requests?limit=10000" download="requests.json">JSON</a></div>
              {wishes.length ? wishes.map((one) => <Asked key={one.id} one={one} names={names} again={again} />) : (
                <Empty><p>{t("Nobody has asked for anything yet.")}</p><p>{t("Find a closed sensor on the map; its page has a button to ask for it.")}</p><Link class="button second" href="/?access=closed">{t("Closed sensors")}</Link></Empty>
              )}
            </section>
            <section aria-labelledby="disputes">
              <div class="heading"><h2 id="disputes">{t("Disputes")}</h2><a href="/api/v1/disputes?limit=10000" download="disputes.json">JSON</a></div>
              {disputes.length ? disputes.map((one) => <Disputed key={one.id} one={one} names={names} again={again} />) : (
                <Empty><p>{t("There is no dispute. Whoever is refused, suspended or treated unlike others can open one, from the page of the application or the request, and the operator rules on it in public.")}</p></Empty>
              )}
            </section>
          </>
        )}
      </Shown>
    </div>
  );
}

function Ask({ of, datastream, asked }: { of: string; datastream: string; asked: () => Promise<void> }): JSX.Element {
  const session = useSession();
  const [wish, setWish] = useState("");
  const [done, setDone] = useState(false);
  if (session?.role !== "organisation") {
    return (
      <section class="card">
        <h2>{t("Ask for {what}", { what: datastream || of })}</h2>
        <p>{t("A request is made in an organisation’s name. Sign in with its key, or join: it takes a minute.")}</p>
        <div class="actions"><Link class="button" href={`/sign-in?to=${encodeURIComponent(`/requests?of=${of}&datastream=${datastream}`)}`}>{t("Sign in")}</Link><Link class="button second" href="/join">{t("Join")}</Link></div>
      </section>
    );
  }
  if (done) return <div class="done"><strong>{t("Your request is public.")}</strong><p>{t("Its owner was told. Ask others to stand behind it.")}</p></div>;
  const send = async (): Promise<void> => {
    await call("POST", "/api/v1/requests", { of, ...(datastream ? { datastream } : {}), wish });
    setDone(true);
    await asked();
  };
  return (
    <section class="card">
      <h2>{t("Ask for {what}", { what: datastream || of })}</h2>
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <label><span>{t("What you ask for, and what for")}</span><textarea value={wish} maxLength={1000} onInput={(event) => setWish(event.currentTarget.value)} /><span class="hint">{t("Public. Say how much detail would do: hourly means are given sooner than every reading.")}</span></label>
        <div class="actions"><Act does={send} disabled={!wish.trim()}>{t("Ask in public")}</Act></div>
      </form>
    </section>
  );
}

function Asked({ one, names, again }: { one: Wish; names: ReadonlyMap<string, string>; again: () => Promise<void> }): JSX.Element {
  const session = useSession();
  const name = (id: string): string => names.get(id) ?? id;
  const mine = session?.role === "organisation" ? session.id : null;
  const outside = mine !== null && mine !== one.by && mine !== one.of;
  const stands = mine !== null && one.supporters.includes(mine);
  const support = async (): Promise<void> => {
    await call(stands ? "DELETE" : "PUT", `/api/v1/requests/${one.id}/support`);
    await again();
  };
  return (
    <article class="card wish">
      <p class="note">{t("{by} asks {of}", { by: name(one.by), of: name(one.of) })}{one.datastream && <> · <Link href={`/sensors/${one.of}/${one.datastream}`}>{one.datastream}</Link></>} · {moment(one.created)}</p>
      <blockquote>{one.wish}</blockquote>
      <div class="actions">
        <span>{one.supporters.length ? tn(one.supporters.length, "{n} organisation stands behind it:", "{n} organisations stand behind it:") + ` ${one.supporters.map(name).join(", ")}` : t("Nobody stands behind it yet.")}</span>
        {outside && <Act class="quiet-button" does={support}>{stands ? t("No longer stand behind it") : t("Stand behind it")}</Act>}
      </div>
      {one.answer ? (
        <div class="answer"><p><Outcome of={one.answer.outcome} /> {one.answer.text}</p><p class="note">{name(one.of)}, {moment(one.answer.time)}{one.answer.offer && <> · <Link href={`/transparency?offer=${one.answer.offer}`}>{one.answer.offer}</Link></>}{one.answer.outcome === "declined" && mine === one.by && <> · <Link href={`/requests?request=${one.id}&over=refusal`}>{t("Open a dispute")}</Link></>}</p></div>
      ) : mine === one.of ? <Answering one={one} again={again} /> : <p class="note">{t("{of} has not answered yet.", { of: name(one.of) })}</p>}
    </article>
  );
}

function Outcome({ of }: { of: Answer["outcome"] }): JSX.Element {
  const said = { opened: t("opened"), will_open: t("will be opened"), declined: t("declined") }[of];
  return <span class={of === "declined" ? "badge badge-bad" : "badge badge-open"}>{said}</span>;
}

function Answering({ one, again }: { one: Wish; again: () => Promise<void> }): JSX.Element {
  const [outcome, setOutcome] = useState<Answer["outcome"]>("will_open");
  const [text, setText] = useState("");
  const [offer, setOffer] = useState("");
  const send = async (): Promise<void> => {
    await call("PUT", `/api/v1/requests/${one.id}/answer`, { outcome, text, ...(outcome === "opened" ? { offer } : {}) });
    await again();
  };
  return (
    <form class="form" onSubmit={(event) => event.preventDefault()}>
      <div class="row">
        <label><span>{t("Your answer")}</span>
          <select value={outcome} onChange={(event) => setOutcome(event.currentTarget.value as Answer["outcome"])}><option value="opened">{t("opened")}</option><option value="will_open">{t("will be opened")}</option><option value="declined">{t("declined")}</option></select>
        </label>
        {outcome === "opened" && <label><span>{t("By the offer")}</span><input value={offer} onInput={(event) => setOffer(event.currentTarget.value)} /></label>}
      </div>
      <label><span>{t("In words, public")}</span><textarea value={text} onInput={(event) => setText(event.currentTarget.value)} /></label>
      <div class="actions"><Act does={send} disabled={!text.trim()}>{t("Answer")}</Act></div>
    </form>
  );
}

function Disputed({ one, names, again }: { one: Dispute; names: ReadonlyMap<string, string>; again: () => Promise<void> }): JSX.Element {
  const session = useSession();
  const name = (id: string): string => names.get(id) ?? id;
  return (
    <article class="card wish">
      <p class="note">{t("{by} complains of {against}: {over}", { by: name(one.by), against: name(one.against), over: overName(one.over) })} · {moment(one.created)}</p>
      <blockquote>{one.statement}</blockquote>
      {one.ruling ? <div class="answer"><p><span class={one.ruling.upheld ? "badge badge-open" : "badge badge-bad"}>{one.ruling.upheld ? t("upheld") : t("not upheld")}</span> {one.ruling.reasons}</p><p class="note">{moment(one.ruling.time)}</p></div> : session?.role === "operator" ? <Ruling dispute={one.id} ruled={again} /> : <p class="note">{t("The operator has not ruled yet.")}</p>}
    </article>
  );
}
