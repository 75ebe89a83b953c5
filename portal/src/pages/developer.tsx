/** For developers: the sandbox, applications, accepting an offer, a console that shows what comes, and use against the quota. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call, get, getAll, type Observation, type Offer } from "../api";
import { Code } from "../code";
import { moment, number, size, unitName, valueOf } from "../format";
import { Act, asProblem, Empty, Shown, Trouble, useLoading } from "../loading";
import { purposes, steps } from "../plain";
import { Link, navigate } from "../router";
import { LoginShown, Secret, type Login } from "../secret";
import { useSession } from "../session";
import { events } from "../stream";
import { t, tn } from "../words";
import type { Problem } from "../api";
import { disputable } from "./disputes";

export type Application = { id: string; name: string; organisation: string };
export type Agreement = { id: string; offer: string; application: string; purpose: string; state: string; reason: string | null; version: number; releases: { id: string; topic: string; observations: string | null; latest: string }[] };
type Made = { id: string; key: string; mqtt: Login };

export function DeveloperPage({ parts }: { parts: string[] }): JSX.Element {
  const session = useSession();
  const [what, id = ""] = parts;
  if (what === "accept") return <Column><Accept offer={id} /></Column>;
  if (what === "applications" && session) return <Column><ApplicationPage id={id} /></Column>;
  return (
    <Column>
      <h1>{t("For developers")}</h1>
      <p class="lead">{t("Find a sensor, accept its offer in one click, and receive it live over MQTT or ask for its history over HTTP. No other library to learn.")}</p>
      {session === undefined ? null : session?.role === "organisation" ? <Applications /> : session?.role === "application" ? <p>{t("You are signed in as the application {name}.", { name: session.name })} <Link href={`/developer/applications/${session.id}`}>{t("Its agreements and console")}</Link></p> : <Begin />}
      <Sandbox />
    </Column>
  );
}

const Column = ({ children }: { children: ComponentChildren }): JSX.Element => <div class="column wide">{children}</div>;

function Begin(): JSX.Element {
  return (
    <section class="card">
      <h2>{t("Begin")}</h2>
      <p>{t("Join with a name, and make an application: its key and its MQTT login are yours at once.")}</p>
      <div class="actions"><Link class="button" href="/join">{t("Join")}</Link><Link class="button second" href="/sign-in?to=/developer">{t("Sign in")}</Link></div>
    </section>
  );
}

type Sandboxed = { release: string; offer: string; datastream: string; observed_property: string | null; unit: string | null; live: string; observations: string };

function Sandbox(): JSX.Element {
  const [found] = useLoading(() => get<Sandboxed[]>("/api/v1/sandbox"), []);
  return (
    <section aria-labelledby="sandbox">
      <h2 id="sandbox">{t("The sandbox: try it without a key")}</h2>
      <p>{t("Simulated sensors that are open to all: no agreement, no key.")}</p>
      <Shown of={found}>
        {(all) => all.length ? (
          <>
            <Code of={[["curl", `curl -N '${location.origin}${all[0]!.live}'`], [t("history"), `curl '${location.origin}${all[0]!.observations}?limit=5'`], ["Python", `import httpx\n\nwith httpx.stream("GET", "${location.origin}${all[0]!.live}", timeout=None) as live:\n    for line in live.iter_lines():\n        print(line)`]]} />
            <p class="note">{tn(all.length, "{n} simulated sensor is in it.", "{n} simulated sensors are in it.")} <Link href="/?access=open">{t("See them on the map")}</Link></p>
          </>
        ) : <Empty><p>{t("The sandbox is empty here: nobody offers simulated data that is open.")}</p><p>{t("Look on the map for what is offered by agreement.")}</p><Link class="button second" href="/">{t("Go to the map")}</Link></Empty>}
      </Shown>
    </section>
  );
}

function Applications(): JSX.Element {
  const [all, again] = useLoading(() => getAll<Application>("/api/v1/applications?limit=1000"), []);
  const [made, setMade] = useState<Made | null>(null);
  return (
    <section aria-labelledby="applications">
      <h2 id="applications">{t("Your applications")}</h2>
      {made && <MadeShown made={made} />}
      <Shown of={all}>
        {(found) => found.length ? (
          <ul class="rows">{found.map((one) => <li key={one.id}><Link href={`/developer/applications/${one.id}`}><strong>{one.name}</strong> <code>{one.id}</code></Link></li>)}</ul>
        ) : <Empty><p>{t("You have no application yet. Make one: it is what accepts offers and receives data.")}</p></Empty>}
      </Shown>
      <NewApplication made={(one) => { setMade(one); void again(); }} />
    </section>
  );
}

export function NewApplication({ made }: { made: (made: Made) => void }): JSX.Element {
  const [name, setName] = useState("");
  const make = async (): Promise<void> => {
    made(await call<Made>("POST", "/api/v1/applications", { name }));
    setName("");
  };
  return (
    <form class="inline-form" onSubmit={(event) => event.preventDefault()}>
      <label><span>{t("Name of a new application")}</span><input value={name} onInput={(event) => setName(event.currentTarget.value)} /></label>
      <Act does={make} disabled={!name.trim()}>{t("Create application")}</Act>
    </form>
  );
}

function MadeShown({ made }: { made: Made }): JSX.Element {
  return (
    <div class="stack">
      <Secret name={t("The application’s key for HTTP")} value={made.key} />
      <LoginShown mqtt={made.mqtt} />
    </div>
  );
}

// --- accepting

function Accept({ offer }: { offer: string }): JSX.Element {
  const session = useSession();
  const [found] = useLoading(() => get<Offer>(`/api/v1/offers/${offer}`), [offer]);
  return (
    <>
      <h1>{t("Accept an offer")}</h1>
      <Shown of={found}>
        {(one) => (
          <>
            <OfferTerms offer={one} />
            {one.withdrawn ? <p class="trouble">{t("This offer was withdrawn.")}</p> : session === undefined ? null : session?.role === "organisation" ? <AcceptAs offer={one} /> : (
              <div class="card"><p>{t("An offer is accepted for an application of your organisation.")}</p><div class="actions"><Link class="button" href={`/sign-in?to=/developer/accept/${offer}`}>{t("Sign in")}</Link><Link class="button second" href="/join">{t("Join")}</Link></div></div>
            )}
          </>
        )}
      </Shown>
    </>
  );
}

function OfferTerms({ offer }: { offer: Offer }): JSX.Element {
  return (
    <div class="card">
      <h2>{tn(offer.releases.length, "{n} sensor of {organisation}", "{n} sensors of {organisation}").replace("{organisation}", offer.organisation)}</h2>
      <dl class="facts">
        <dt>{t("Licence")}</dt><dd>{offer.licence.name ?? offer.licence.id}</dd>
        <dt>{t("What you must do")}</dt><dd>{offer.duties.join(" ") || t("Nothing.")}</dd>
        <dt>{t("Permitted for")}</dt><dd>{purposes(offer.terms)}</dd>
        {offer.terms.justification && <><dt>{t("Why only that")}</dt><dd>{offer.terms.justification}</dd></>}
        <dt>{t("Detail")}</dt><dd>{steps(offer.profile).map((step) => step.does).join(" ")}</dd>
        {offer.terms.quota && <><dt>{t("Quota")}</dt><dd>{`${number(offer.terms.quota.records ?? offer.terms.quota.bytes ?? 0)} ${offer.terms.quota.records ? t("records") : t("bytes")} / ${t(offer.terms.quota.per)}`}</dd></>}
        {offer.terms.price && <><dt>{t("Cost")}</dt><dd>{offer.terms.price}</dd></>}
        {offer.terms.criteria && <><dt>{t("The owner decides by")}</dt><dd>{offer.terms.criteria.join("; ")}</dd></>}
      </dl>
    </div>
  );
}

function AcceptAs({ offer }: { offer: Offer }): JSX.Element {
  const [all, again] = useLoading(() => getAll<Application>("/api/v1/applications?limit=1000"), []);
  const [chosen, choose] = useState("");
  const [made, setMade] = useState<Made | null>(null);
  const any = offer.terms.purposes.includes("any");
  const [purpose, setPurpose] = useState(any ? "" : (offer.terms.purposes[0] ?? ""));
  return (
    <Shown of={all}>
      {(applications) => {
        const application = chosen || made?.id || applications[0]?.id || "";
        const accept = async (): Promise<void> => {
          await call<Agreement>("POST", "/api/v1/agreements", { offer: offer.id, application, purpose, accept: true });
          navigate(`/developer/applications/${application}`);
        };
        return (
          <section class="stack">
            {made && <MadeShown made={made} />}
            {!applications.length && !made ? (
              <><p>{t("First make the application that is to receive it.")}</p><NewApplication made={(one) => { setMade(one); void again(); }} /></>
            ) : (
              <form class="form" onSubmit={(event) => event.preventDefault()}>
                <div class="row">
                  <label><span>{t("For your application")}</span><select value={application} onChange={(event) => choose(event.currentTarget.value)}>{applications.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</select></label>
                  <label><span>{t("What you use it for")}</span>
                    {any ? <input value={purpose} placeholder="public-information" onInput={(event) => setPurpose(event.currentTarget.value.trim().replace(/\s+/g, "-"))} /> : <select value={purpose} onChange={(event) => setPurpose(event.currentTarget.value)}>{offer.terms.purposes.map((one) => <option key={one} value={one}>{one}</option>)}</select>}
                    <span class="hint">{t("Public, in one word.")}</span>
                  </label>
                </div>
                <div class="actions"><Act does={accept} disabled={!purpose}>{offer.terms.approval === "manual" ? t("Accept the terms and ask") : t("Accept these terms")}</Act><span class="note">{t("It stands on the public ledger, and you may end it at any time.")}</span></div>
              </form>
            )}
          </section>
        );
      }}
    </Shown>
  );
}

// --- one application

function ApplicationPage({ id }: { id: string }): JSX.Element {
  const [found, again] = useLoading(async () => {
    const [application, agreements] = await Promise.all([get<Application>(`/api/v1/applications/${id}`), getAll<Agreement>("/api/v1/agreements?limit=10000")]);
    return { application, agreements: agreements.filter((one) => one.application === id) };
  }, [id]);
  return (
    <Shown of={found}>
      {({ application, agreements }) => (
        <>
          <nav class="trail" aria-label={t("Where you are")}><Link href="/developer">{t("For developers")}</Link> <span aria-hidden="true">›</span> <span>{application.name}</span></nav>
          <h1>{application.name}</h1>
          <Console application={application} agreements={agreements.filter((one) => one.state === "active")} />
          <section aria-labelledby="agreements">
            <h2 id="agreements">{t("Agreements")}</h2>
            {agreements.length ? agreements.map((one) => <Agreed key={one.id} one={one} again={again} />) : (
              <Empty><p>{t("It has agreed to nothing yet. Find a sensor on the map and accept its offer.")}</p><Link class="button" href="/?access=agreement">{t("Find one")}</Link></Empty>
            )}
          </section>
          <Logins application={application.id} />
        </>
      )}
    </Shown>
  );
}

type Use = { live: { records: number; bytes: number }; http: { records: number; bytes: number }; quota: { per: string; ends: string; records: number | null; bytes: number | null } | null };

function Agreed({ one, again }: { one: Agreement; again: () => Promise<void> }): JSX.Element {
  const [use] = useLoading(async () => {
    const [found, offer] = await Promise.all([get<Use>(`/api/v1/agreements/${one.id}/use`), get<Offer>(`/api/v1/offers/${one.offer}`)]);
    return { ...found, title: t("“{profile}” of {organisation}", { profile: offer.profile.name, organisation: offer.organisation }) };
  }, [one.id]);
  const active = one.state === "active";
  const end = async (): Promise<void> => {
    await call("DELETE", `/api/v1/agreements/${one.id}`, { reason: "No longer needed" });
    await again();
  };
  return (
    <article class="card">
      <h3>{use.state === "here" ? use.value.title : one.offer} <State of={one.state} /></h3>
      <p class="note">{t("For “{purpose}”, version {version} of the terms", { purpose: one.purpose, version: one.version })}{one.reason && ` · ${one.reason}`}</p>
      <Shown of={use}>
        {(found) => (
          <p>{t("Delivered: {live} records live, {http} over HTTP ({size}).", { live: found.live.records, http: found.http.records, size: size(found.live.bytes + found.http.bytes) })}{" "}
            {found.quota ? t("Left of the quota until {time}: {left}.", { time: moment(found.quota.ends), left: found.quota.records !== null ? tn(found.quota.records, "{n} record", "{n} records") : size(found.quota.bytes ?? 0) }) : active && t("There is no quota.")}</p>
        )}
      </Shown>
      {disputable(one.state) && <p><Link href={`/requests?agreement=${one.id}&over=${disputable(one.state)}`}>{t("Open a dispute")}</Link></p>}
      {active && (
        <>
          <details><summary>{t("Topics and addresses")}</summary><ul class="plain">{one.releases.slice(0, 20).map((release) => <li key={release.id}><code>{release.topic}</code><br /><code>{location.origin}{release.observations ?? release.latest}</code></li>)}</ul></details>
          <div class="actions"><Act class="quiet-button" does={end}>{t("End this agreement")}</Act></div>
        </>
      )}
    </article>
  );
}

export function State({ of }: { of: string }): JSX.Element {
  const names: Readonly<Record<string, string>> = { active: t("active"), requested: t("waits for the owner"), suspended: t("suspended"), refused: t("refused"), revoked: t("ended"), expired: t("expired") };
  return <span class={of === "active" ? "badge badge-open" : of === "requested" ? "badge" : "badge badge-bad"}>{names[of] ?? of}</span>;
}

type Heard = { at: number; release: string; text: string; value: string };
const KEPT = 200; // lines of the console
const CONSOLE_KEY = "portal console";
const MOST_RELEASES = 100; // in one stream

function Console({ application, agreements }: { application: Application; agreements: readonly Agreement[] }): JSX.Element {
  const [lines, setLines] = useState<Heard[]>([]);
  const [state, setState] = useState<"off" | "opening" | "on" | "ended">("off");
  const [why, setWhy] = useState<string[]>([]);
  const [failed, setFailed] = useState<Problem | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const releases = agreements.flatMap((one) => one.releases.map((release) => release.id)).slice(0, MOST_RELEASES);

  const open = async (): Promise<void> => {
    setLines([]);
    setWhy([]);
    setFailed(null);
    setState("opening");
    stop.current = new AbortController();
    const heard = (event: { name: string; data: string }): void => {
      const told = JSON.parse(event.data) as Observation & { reason?: string; event?: string; count?: number };
      if (event.name === "end") setWhy((before) => [...before, t("The stream ended: {reason}.", { reason: reasonWords(told.reason ?? "") })]);
      else if (event.name === "notice") setWhy((before) => [...before, told.reason ? `${reasonWords(told.event ?? "")}: “${told.reason}”` : reasonWords(told.event ?? "")]);
      else if (event.name === "missed") setWhy((before) => [...before, t("{n} messages were skipped: this browser was too slow.", { n: told.count ?? 0 })]);
      else setLines((before) => [{ at: Date.now(), release: event.name, text: event.data, value: `${valueOf(told)} ${unitName(told.unit)}` }, ...before].slice(0, KEPT));
    };
    try {
      const key = await consoleKey(application.id);
      const query = releases.map((one) => `release=${one}`).join("&");
      await events(`/api/v1/live?${query}`, key, stop.current.signal, heard, () => setState("on"));
      setState("ended");
    } catch (error) {
      setState("off");
      if (!stop.current?.signal.aborted) setFailed(asProblem(error));
    }
  };
  return (
    <section aria-labelledby="console">
      <div class="heading">
        <h2 id="console">{t("Live console")}</h2>
        {state === "on" || state === "opening" ? <button type="button" class="button second" onClick={() => { stop.current?.abort(); setState("off"); }}>{t("Stop")}</button> : <button type="button" class="button" disabled={!releases.length} onClick={() => void open()}>{t("Listen")}</button>}
      </div>
      {failed && <Trouble problem={failed} />}
      {why.length > 0 && <div class={state === "ended" ? "trouble" : "done"} role="alert">{why.map((one) => <p key={one}>{one}</p>)}</div>}
      <div class="console" role="log" aria-label={t("Messages as they come")} tabIndex={0}>
        {lines.length ? lines.map((line) => <p key={line.at + line.text}><time>{new Date(line.at).toLocaleTimeString("en-GB")}</time> <b>{line.value}</b> <span>{line.text}</span></p>) : <p class="note">{!releases.length ? t("There is nothing to listen to before an offer is accepted.") : state === "on" ? t("Listening. Nothing came yet.") : t("Press “Listen”: messages appear here as the application receives them.")}</p>}
      </div>
    </section>
  );
}

function reasonWords(reason: string): string {
  const known: Readonly<Record<string, string>> = {
    agreement_revoked: t("the agreement was ended"), revoked: t("the agreement was ended"), no_agreement: t("there is no agreement any more"), agreement_not_active: t("the agreement is not active any more"),
    suspended: t("the agreement was suspended"), expired: t("the agreement has expired"), offer_withdrawn: t("the offer was withdrawn"), withdrawn: t("the offer was withdrawn"), quota_exhausted: t("the quota is used up"),
  };
  return known[reason] ?? reason.replaceAll("_", " ");
}

/** A key of an hour for this page, which may only read live; earlier ones are given up. */
async function consoleKey(application: string): Promise<string> {
  const session = await get<{ role: string } | null>("/session");
  const of = session?.role === "organisation" ? { application } : {};
  const query = session?.role === "organisation" ? `?application=${application}` : "";
  const before = await get<{ id: string; name: string }[]>(`/api/v1/keys${query}`);
  await Promise.all(before.filter((one) => one.name === CONSOLE_KEY).map((one) => call("DELETE", `/api/v1/keys/${one.id}`)));
  const made = await call<{ key: string }>("POST", "/api/v1/keys", { name: CONSOLE_KEY, scopes: ["live"], expires: new Date(Date.now() + 3_600_000).toISOString(), ...of });
  return made.key;
}

function Logins({ application }: { application: string }): JSX.Element {
  const [made, setMade] = useState<Login | null>(null);
  return (
    <section aria-labelledby="connection">
      <h2 id="connection">{t("Connection")}</h2>
      <p>{t("Its first key and login were shown when it was made. Another login can stand beside the first; then give the first one up.")}</p>
      {made && <LoginShown mqtt={made} />}
      <div class="actions"><Act class="button second" does={async () => setMade(await call<Login>("POST", `/api/v1/applications/${application}/logins`, { name: "portal" }))}>{t("Make another MQTT login")}</Act></div>
    </section>
  );
}
