/** Publishing an offer, seen through an application's eyes first; and one offer: who uses it, and ending that. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { call, get, getAll, type Observation, type Offer, type Profile } from "../api";
import { Chart, type Series } from "../chart";
import { capital, kindName, numeric, size, unitName } from "../format";
import { Act, Empty, Shown, useLoading } from "../loading";
import { CityMap } from "../map";
import { steps } from "../plain";
import { Link, navigate } from "../router";
import type { Session } from "../session";
import { themeColour } from "../themes";
import { t, tn } from "../words";
import { Attacks } from "./attacks";
import { AS_MEASURED, DetailFields, operatorsOf } from "./detail";
import { State, type Agreement, type Application } from "./developer";
import type { Datastream } from "./owner";
import { ChangeTerms, TermsFields, termsOf, type Chosen } from "./terms";

export function NewOfferPage({ organisation }: { organisation: Session }): JSX.Element {
  const [datastreams] = useLoading(() => getAll<Datastream>("/api/v1/datastreams?limit=10000"), []);
  return (
    <>
      <nav class="trail" aria-label={t("Where you are")}><Link href="/owner">{t("For owners")}</Link> <span aria-hidden="true">›</span> <span>{t("Publish an offer")}</span></nav>
      <h1>{t("Publish an offer")}</h1>
      <p class="lead">{t("The same for everyone: nobody is named who may accept it.")}</p>
      <Shown of={datastreams}>{(all) => (all.length ? <Offering all={all} organisation={organisation} /> : <Empty><p>{t("An offer is made of sensors: describe one first.")}</p><Link class="button" href="/owner/gateways/new">{t("Connect a gateway")}</Link></Empty>)}</Shown>
    </>
  );
}

function Offering({ all, organisation }: { all: Datastream[]; organisation: Session }): JSX.Element {
  const [chosen, choose] = useState<string[]>([all[0]!.id]);
  const [detail, setDetail] = useState(AS_MEASURED);
  const [agreed, setAgreed] = useState<Chosen>({ licence: "CC-BY-4.0", attribution: organisation.name, access: "click", purposes: "", quota: "" });
  const [name, setName] = useState("");
  const first = all.find((one) => chosen.includes(one.id));
  const personal = all.some((one) => chosen.includes(one.id) && one.personal_data);
  const operators = useMemo(() => operatorsOf(detail, first?.kind ?? "measurement", personal), [detail, first, personal]);
  const profile: Profile = { name: name || (operators.length ? t("less detail") : "raw"), operators };
  const terms = termsOf(agreed);
  const publish = async (): Promise<void> => {
    const made = await call<Offer>("POST", "/api/v1/offers", { datastreams: chosen, profile, terms });
    navigate(`/owner/offers/${made.id}`);
  };
  return (
    <div class="offering">
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <fieldset>
          <legend>{t("Which sensors")}</legend>
          <div class="choices">{all.map((one) => <label class="check" key={one.id}><input type="checkbox" checked={chosen.includes(one.id)} onChange={(event) => choose(event.currentTarget.checked ? [...chosen, one.id] : chosen.filter((id) => id !== one.id))} /> {capital(t(one.observed_property ?? kindName(one.kind)))} <code>{one.id}</code></label>)}</div>
        </fieldset>
        <fieldset>
          <legend>{t("In how much detail")}</legend>
          <DetailFields detail={detail} set={setDetail} kind={first?.kind ?? "measurement"} personal={personal} />
          <ul class="steps">{steps(profile).map((step) => <li key={step.does}>{step.does} <span>{step.guarantees}</span></li>)}</ul>
          <label><span>{t("Name of this detail")}</span><input value={name} placeholder={profile.name} onInput={(event) => setName(event.currentTarget.value)} /></label>
        </fieldset>
        <fieldset>
          <legend>{t("On which terms")}</legend>
          <TermsFields chosen={agreed} set={setAgreed} />
        </fieldset>
        <div class="actions"><Act does={publish} disabled={!chosen.length || !agreed.attribution.trim()}>{t("Publish this offer")}</Act></div>
      </form>
      {first && <Preview of={first} chosen={chosen} profile={profile} terms={terms} />}
    </div>
  );
}

type Previewed = { permitted: boolean; detail: string | null; location: { coordinates: [number, number] } | null; past: Observation[]; withheld: Record<string, number> | null; looked_at: number | null };

/** Whose eyes to look through: an application of the owner's own. */
async function eyes(): Promise<string> {
  const own = await get<Application[]>("/api/v1/applications?limit=1");
  return own[0]?.id ?? (await call<{ id: string }>("POST", "/api/v1/applications", { name: "Preview" })).id;
}

function Preview({ of, chosen, profile, terms }: { of: Datastream; chosen: string[]; profile: Profile; terms: { purposes: string[] } }): JSX.Element {
  const [raw, setRaw] = useState<Previewed | null>(null);
  const [released, setReleased] = useState<Previewed | null>(null);
  const look = async (): Promise<void> => {
    const body = { datastream: of.id, terms: { ...terms, access: "click" }, application: await eyes(), limit: 1000, start: new Date(Date.now() - 6 * 3_600_000).toISOString(), end: new Date().toISOString() };
    setReleased(await call<Previewed>("POST", "/api/v1/previews", { ...body, profile }));
    setRaw(of.personal_data ? null : await call<Previewed>("POST", "/api/v1/previews", { ...body, profile: { name: "raw", operators: [] } }));
  };
  return (
    <aside class="preview" aria-labelledby="preview">
      <h2 id="preview">{t("Through their eyes")}</h2>
      <p>{t("What an application would see of {id}, computed by what serves, of your last six hours.", { id: of.id })}{of.personal_data && ` ${t("It tells of people: only what would be released is shown, and that you looked is on the ledger.")}`}</p>
      <Act class="button second" does={look}>{t("Look")}</Act>
      {released && (
        <div class="stack">
          {raw && <Seen title={t("What you have")} seen={raw} of={of} />}
          <Seen title={t("What they would see")} seen={released} of={of} />
          {released.withheld && Object.keys(released.withheld).length > 0 && <p class="note">{t("Withheld: {what}", { what: Object.entries(released.withheld).map(([why, n]) => `${why.replaceAll("_", " ")} (${n})`).join(", ") })}</p>}
        </div>
      )}
      {of.personal_data && of.kind !== "camera" && <Attacks key={JSON.stringify([chosen, profile.operators, terms.purposes])} datastreams={chosen} profile={profile} purposes={terms.purposes} />}
    </aside>
  );
}

function Seen({ title, seen, of }: { title: string; seen: Previewed; of: Datastream }): JSX.Element {
  const data = useMemo<Series>(() => ({ times: seen.past.map((one) => Date.parse(one.time) / 1000), values: [seen.past.map(numeric)] }), [seen]);
  const place = seen.location?.coordinates;
  const around = of.location?.coordinates ?? place; // both maps show the same part of the city, so that it is seen how far the place is off
  const spots = useMemo(() => (place ? [{ place: [place[0], place[1]] as [number, number], colour: themeColour(of.theme), title }] : []), [seen]);
  return (
    <section class="seen">
      <h3>{title} <span class="note">{tn(seen.past.length, "{n} observation", "{n} observations")}</span></h3>
      {!seen.permitted ? <p class="trouble">{seen.detail}</p> : seen.past.length ? <Chart data={data} names={[of.observed_property ?? of.id]} unit={unitName(of.unit)} height={170} label={title} /> : <Empty><p>{t("Nothing. Either nothing came in this time, or all of it is withheld.")}</p></Empty>}
      {place ? <CityMap spots={spots} view={{ place: [around![0], around![1]], zoom: 12 }} label={`${title}: ${t("Where it stands")}`} class="small" /> : <p class="note">{t("Its place is not told.")}</p>}
    </section>
  );
}

// --- one offer

type UseOf = { uses: { agreement: string | null; live: { records: number; bytes: number }; http: { records: number; bytes: number } }[] };

export function OfferPage({ id }: { id: string }): JSX.Element {
  const [found, again] = useLoading(async () => {
    const [offer, use, agreements] = await Promise.all([get<Offer>(`/api/v1/offers/${id}`), get<UseOf>(`/api/v1/offers/${id}/use`), getAll<Agreement>("/api/v1/agreements?limit=10000")]);
    return { offer, use, agreements: agreements.filter((one) => one.offer === id) };
  }, [id]);
  return (
    <>
      <nav class="trail" aria-label={t("Where you are")}><Link href="/owner">{t("For owners")}</Link> <span aria-hidden="true">›</span> <span>{id}</span></nav>
      <Shown of={found}>
        {({ offer, use, agreements }) => (
          <>
            <h1>{capital(offer.profile.name)} {offer.withdrawn && <span class="badge badge-bad">{t("withdrawn")}</span>}</h1>
            <p class="lead">{tn(offer.releases.length, "{n} sensor", "{n} sensors")} · {offer.licence.name ?? offer.licence.id} · {offer.terms.access === "open" ? t("open to all") : t("by agreement")}</p>
            <section aria-labelledby="used">
              <div class="heading"><h2 id="used">{t("Who uses it")}</h2><button type="button" class="quiet-button" onClick={() => void again()}>{t("Look again")}</button></div>
              {agreements.length ? agreements.map((one) => <Used key={one.id} one={one} use={use} again={again} />) : (
                <Empty><p>{t("Nobody yet. It is in the directory, where developers find it.")}</p>{offer.releases[0] && <Link class="button second" href={`/sensors/${offer.organisation}/${offer.releases[0].datastream}`}>{t("See it as they do")}</Link>}</Empty>
              )}
            </section>
            {!offer.withdrawn && <ChangeTerms offer={offer} again={again} />}
            {!offer.withdrawn && <Withdraw offer={offer} again={again} />}
          </>
        )}
      </Shown>
    </>
  );
}

function Used({ one, use, again }: { one: Agreement; use: UseOf; again: () => Promise<void> }): JSX.Element {
  const [reason, setReason] = useState("");
  const of = use.uses.find((found) => found.agreement === one.id);
  const act = (method: string, of = "", body?: object) => async (): Promise<void> => {
    await call(method, `/api/v1/agreements/${one.id}${of}`, body);
    setReason("");
    await again();
  };
  return (
    <article class="card">
      <h3>{one.application} <State of={one.state} /></h3>
      <p>{t("For “{purpose}”", { purpose: one.purpose })} · {of ? t("{live} records live, {http} over HTTP, {size}", { live: of.live.records, http: of.http.records, size: size(of.live.bytes + of.http.bytes) }) : t("nothing was delivered yet")}</p>
      {one.reason && <p class="note">{t("Reason: {reason}", { reason: one.reason })}</p>}
      {(one.state === "active" || one.state === "suspended") && (
        <form class="inline-form" onSubmit={(event) => event.preventDefault()}>
          <label><span>{t("Why you stop it; public")}</span><input value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
          {one.state === "suspended" ? <Act class="button second" does={act("DELETE", "/suspension")}>{t("Let it go on")}</Act> : <Act class="button second" does={act("PUT", "/suspension", { reason })} disabled={!reason.trim()}>{t("Suspend")}</Act>}
          <Act class="button danger" does={act("DELETE", "", { reason })} disabled={!reason.trim()}>{t("Revoke")}</Act>
        </form>
      )}
    </article>
  );
}

function Withdraw({ offer, again }: { offer: Offer; again: () => Promise<void> }): JSX.Element {
  const [reason, setReason] = useState("");
  const withdraw = async (): Promise<void> => {
    await call("DELETE", `/api/v1/offers/${offer.id}`, { reason });
    await again();
  };
  return (
    <section aria-labelledby="withdraw">
      <h2 id="withdraw">{t("Withdraw the offer")}</h2>
      <p>{t("Ends all agreements on it within a second, and erases what no other offer shows.")}</p>
      <form class="inline-form" onSubmit={(event) => event.preventDefault()}>
        <label><span>{t("Why; public")}</span><input value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
        <Act class="button danger" does={withdraw} disabled={!reason.trim()}>{t("Withdraw")}</Act>
      </form>
    </section>
  );
}
