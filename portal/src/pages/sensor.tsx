/** One sensor: what it says now and said before, who may have it on which terms, who reads it, and how to get it. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, type Listed, type Observation, type Offer, type Organisation } from "../api";
import { Chart } from "../chart";
import { useNow } from "../clock";
import { Code } from "../code";
import { age, capital, kindName, moment, unitName, valueOf } from "../format";
import { HISTORY_SPANS, useHistory } from "../history";
import { listen } from "../live";
import { Empty, Shown, Trouble, useLoading } from "../loading";
import { CityMap } from "../map";
import { licenceWords, purposes, steps } from "../plain";
import { Link } from "../router";
import { themeColour, themeName } from "../themes";
import { t, tn } from "../words";
import { Picture } from "./cameras";
import { Dot } from "./explore";

type Sensor = { listed: Listed; owner: Organisation };

export function SensorPage({ parts }: { parts: string[] }): JSX.Element {
  const [organisation = "", datastream = ""] = parts;
  const [sensor] = useLoading<Sensor>(
    async () => {
      const [listed, owner] = await Promise.all([get<Listed>(`/api/v1/directory/${organisation}/${datastream}`), get<Organisation>(`/api/v1/organisations/${organisation}`)]);
      return { listed, owner };
    },
    [organisation, datastream],
  );
  if (sensor.state === "failed") return <div class="column"><h1>{t("This sensor can’t be shown")}</h1><Trouble problem={sensor.problem} /><p><Link href="/">{t("Go to the map")}</Link></p></div>;
  return <div class="column wide"><Shown of={sensor}>{(found) => <Found {...found} />}</Shown></div>;
}

function Found({ listed, owner }: Sensor): JSX.Element {
  const open = listed.offered.find((offer) => offer.terms.access === "open");
  const name = capital(t(listed.observed_property ?? kindName(listed.kind)));
  useEffect(() => {
    document.title = `${name}, ${listed.id} · Mitoyen`;
  }, [name]);
  return (
    <article class="sensor">
      <nav class="trail" aria-label={t("Where you are")}><Link href="/">{t("Map")}</Link> <span aria-hidden="true">›</span> <Link href={`/?organisation=${listed.organisation}`}>{owner.name}</Link> <span aria-hidden="true">›</span> <span>{listed.id}</span></nav>
      <header class="sensor-head">
        <div>
          <h1>{name}</h1>
          <p class="lead">{listed.description ?? t("Its owner has not described it.")}</p>
          <ul class="tags">
            <li><Dot theme={listed.theme} />{themeName(listed.theme ?? t("other"))}</li>
            <li>{capital(kindName(listed.kind))}</li>
            {listed.personal_data && <li class="tag-personal">{t("tells of people: never released as it is")}</li>}
            {listed.simulated && <li>{t("simulated")}</li>}
          </ul>
        </div>
        {open && listed.kind === "camera" && <Picture release={open.releases[0]!.id} name={listed.id} />}
        {open && listed.kind !== "camera" && <Now release={open.releases[0]!.id} unit={listed.unit} />}
      </header>
      {open && listed.kind === "measurement" && <History release={open.releases[0]!.id} unit={listed.unit} name={name} />}
      {listed.offered.length ? <Offers listed={listed} /> : <Closed listed={listed} owner={owner} />}
      <div class="halves">
        <section aria-labelledby="place"><h2 id="place">{t("Where it stands")}</h2><Place listed={listed} /></section>
        <section aria-labelledby="about"><h2 id="about">{t("What it is")}</h2><Facts listed={listed} owner={owner} /></section>
      </div>
      {listed.offered.length > 0 && <Get offer={open ?? listed.offered[0]!} open={!!open} />}
    </article>
  );
}

function Now({ release, unit }: { release: string; unit: string | null }): JSX.Element {
  const [last, setLast] = useState<Observation | null>(null);
  const [live, setLive] = useState(false);
  const [ended, setEnded] = useState("");
  const now = useNow(1_000);
  useEffect(() => listen([release], (_, one) => setLast(one), setLive, (why) => setEnded(why.reason)), [release]);
  return (
    <div class="now">
      <p class="now-value"><span class="value" key={last?.time}>{last ? valueOf(last) : "–"}</span> <small>{unitName(last?.unit ?? unit)}</small></p>
      <p class="now-age">
        <span class={live ? "live on" : "live"}>{live ? t("live") : ended ? t("ended: {reason}", { reason: ended }) : t("connecting…")}</span>
        {last && <time dateTime={last.time} title={moment(last.time)}>{age(last.time, now)}</time>}
      </p>
    </div>
  );
}

function History({ release, unit, name }: { release: string; unit: string | null; name: string }): JSX.Element {
  const history = useHistory(release);
  const measured = unitName(unit);
  return (
    <section aria-labelledby="history">
      <div class="heading">
        <h2 id="history">{t("History")}</h2>
        <div class="spans" role="group" aria-label={t("Time span")}>
          {HISTORY_SPANS.map(({ name: span, seconds }) => (
            <button type="button" key={seconds} aria-pressed={history.span === seconds && !history.range} onClick={() => history.last(seconds)}>{t(span)}</button>
          ))}
          {history.range && <button type="button" onClick={() => history.last(history.span)}>{t("Back to now")}</button>}
        </div>
      </div>
      {history.problem ? <Trouble problem={history.problem} /> : (
        <>
          <Chart data={history.data} names={[name]} unit={measured} onRange={history.zoom} label={t("{name} over time. The table below has the same values.", { name })} />
          <p class="note" role="status">
            {!history.data.times.length && !history.waiting ? t("Nothing was released in this time.") : history.interval ? t("Means of {interval}: the detail that fits the chart. Drag across the chart to see more.", { interval: history.interval }) : t("Every released value. Drag across the chart to see more of a part.")}
          </p>
          <details class="values">
            <summary>{t("The values as a table")}</summary>
            <div class="scroll" tabIndex={0} role="region" aria-label={t("The values as a table")}>
              <table>
                <thead><tr><th scope="col">{t("Time")}</th><th scope="col" class="figure">{`${name} ${measured}`}</th></tr></thead>
                <tbody>{history.data.times.slice(-200).reverse().map((time, i) => <tr key={time}><td>{moment(new Date(time * 1000).toISOString())}</td><td class="figure">{history.data.values[0]!.at(-1 - i) ?? "–"}</td></tr>)}</tbody>
              </table>
            </div>
          </details>
        </>
      )}
    </section>
  );
}

function Offers({ listed }: { listed: Listed }): JSX.Element {
  return (
    <section aria-labelledby="terms">
      <h2 id="terms">{tn(listed.offered.length, "On which terms", "On which terms: {n} offers")}</h2>
      <div class="cards">{listed.offered.map((offer) => <OfferCard key={offer.id} offer={offer} />)}</div>
    </section>
  );
}

export function OfferCard({ offer }: { offer: Offer }): JSX.Element {
  return (
    <article class="card offer">
      <h3>{offer.profile.operators.length ? capital(offer.profile.name) : t("As measured")} <Badge offer={offer} /></h3>
      <div>
        <h4>{t("Licence")}</h4>
        <p><a href={licencePage(offer)} rel="license noreferrer">{offer.licence.name ?? offer.licence.id}</a></p>
        <p>{licenceWords(offer.licence.id)} {t("Source to name: {attribution}.", { attribution: offer.terms.attribution })}</p>
        <p class="note">{t("For {purposes}", { purposes: purposes(offer.terms) })}{offer.terms.quota && ` · ${quota(offer)}`}{offer.terms.price && ` · ${offer.terms.price}`}{offer.terms.expires && ` · ${t("until {time}", { time: moment(offer.terms.expires) })}`}</p>
      </div>
      <div>
        <h4>{t("Privacy")}</h4>
        <ul class="steps">{steps(offer.profile).map((step) => <li key={step.does}>{step.does} <span>{step.guarantees}</span></li>)}</ul>
      </div>
      <Readers offer={offer} />
      {offer.terms.access === "click" && <div class="actions"><Link class="button second" href={`/developer/accept/${offer.id}`}>{t("Accept the offer")}</Link></div>}
    </article>
  );
}

function quota(offer: Offer): string {
  const { per, records, bytes } = offer.terms.quota!;
  const much = records ? tn(records, "one record", "{n} records") : tn(bytes ?? 0, "one byte", "{n} bytes");
  return per === "day" ? t("at most {much} a day", { much }) : t("at most {much} a month", { much });
}

function Badge({ offer }: { offer: Offer }): JSX.Element {
  const open = offer.terms.access === "open";
  return <span class={open ? "badge badge-open" : "badge"}>{open ? t("open to all, no key") : offer.terms.approval === "manual" ? t("on request") : t("accept in one click")}</span>;
}

/** Where a licence can be read; the URI of an unknown one may be anything, so only web addresses are linked to. */
function licencePage(offer: Offer): string {
  const known: Readonly<Record<string, string>> = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/", "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/", "ODbL-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
  };
  return known[offer.licence.id] ?? (/^https?:/.test(offer.licence.uri) ? offer.licence.uri : "/api/v1/offers");
}

type Use = { offer: string; readers: Record<string, string> };

function Readers({ offer }: { offer: Offer }): JSX.Element {
  const [use] = useLoading(async () => (await get<{ offers: Use[] }>("/api/v1/transparency")).offers.find((one) => one.offer === offer.id), [offer.id]);
  return (
    <div>
      <h4>{t("Who reads it, and what for")}</h4>
      <Shown of={use}>
        {(found) => {
          const readers = Object.entries(found?.readers ?? {});
          return (
            <>
              {readers.length > 0 && <ul class="plain">{readers.slice(0, 8).map(([application, purposes]) => <li key={application}><strong>{application}</strong> {t("for {purposes}", { purposes: purposes.split(" ").join(", ") })}</li>)}</ul>}
              <p>
                {offer.terms.access === "open" ? t("Anyone may, without saying why.") : !readers.length && t("Nobody yet.")}
                {readers.length > 8 && ` ${tn(readers.length - 8, "{n} more.", "{n} more.")}`} <Link href={`/transparency?offer=${offer.id}`}>{t("All of it")}</Link>
              </p>
            </>
          );
        }}
      </Shown>
    </div>
  );
}

function Closed({ listed, owner }: { listed: Listed; owner: Organisation }): JSX.Element {
  return (
    <section aria-labelledby="closed">
      <h2 id="closed">{t("This sensor is closed")}</h2>
      <Empty>
        <p>{listed.closed ? t("{owner} says why: “{why}”", { owner: owner.name, why: listed.closed }) : t("{owner} does not offer it, and has not said why.", { owner: owner.name })}</p>
        <p>{t("Anyone may ask for it in public; the owner answers in public.")}</p>
        <Link class="button" href={`/requests?of=${listed.organisation}&datastream=${listed.id}`}>{t("Ask for it")}</Link>
      </Empty>
    </section>
  );
}

function Place({ listed }: { listed: Listed }): JSX.Element {
  const release = listed.offered.flatMap((offer) => offer.releases).find((one) => one.location);
  const place = (release?.location ?? listed.location)?.coordinates;
  const spots = useMemo(() => (place ? [{ place: [place[0], place[1]] as [number, number], colour: themeColour(listed.theme), title: listed.id, hollow: !listed.offers.length }] : []), [listed]);
  if (!place) return <Empty><p>{t("Its place is not told.")}</p></Empty>;
  return (
    <>
      <CityMap spots={spots} view={{ place: spots[0]!.place, zoom: 13.5 }} label={t("Where it stands")} class="small" />
      <p class="note">{listed.offers.length ? t("The place is as exact as its offers tell it.") : t("Only the middle of its district is told: a cell of some 5 km².")}</p>
    </>
  );
}

function Facts({ listed, owner }: { listed: Listed; owner: Organisation }): JSX.Element {
  return (
    <dl class="facts">
      <dt>{t("Observes")}</dt><dd>{capital(t(listed.observed_property ?? kindName(listed.kind)))}{listed.unit && `, ${unitName(listed.unit)}`}</dd>
      <dt>{t("Owner")}</dt><dd>{owner.homepage ? <a href={owner.homepage} rel="noreferrer">{owner.name}</a> : owner.name}{owner.contact && <> · {owner.contact}</>}</dd>
      <dt>{t("People")}</dt><dd>{listed.personal_data ? t("What it observes can tell of people. The broker releases none of it as it is.") : t("It observes nobody.")}</dd>
      <dt>{t("Name here")}</dt><dd><code>{listed.organisation}/{listed.id}</code></dd>
    </dl>
  );
}

function Get({ offer, open }: { offer: Offer; open: boolean }): JSX.Element {
  const release = offer.releases[0]!;
  const base = location.origin;
  const path = `${base}/api/v1/releases/${release.id}`;
  const key = open ? "" : ` -H "Authorization: Bearer $KEY"`;
  const camera = release.kind === "camera";
  return (
    <section aria-labelledby="get">
      <h2 id="get">{t("How to get it")}</h2>
      <p>{open ? t("No key and no agreement is needed.") : <>{t("It takes one click: create an application, accept the offer, and its key opens this.")} <Link href={`/developer/accept/${offer.id}`}>{t("Accept the offer")}</Link></>}</p>
      <Code
        of={[
          ["curl", camera ? `curl${key} -o picture.jpg '${path}/latest'` : `# ${t("as it comes")}\ncurl -N${key} '${path}/live'\n# ${t("the last day, as CSV")}\ncurl${key} "${path}/observations?format=csv&start=$(date -u -d '1 day ago' +%FT%TZ)"`],
          ["Python", python(path, open, camera)],
          ["MQTT", `# ${t("with the login that an application is given; QoS 1, the last value at once")}\nmosquitto_sub -V 5 -q 1 -h HOST -p PORT -u USERNAME -P PASSWORD -i CLIENT_ID \\\n  -t '${release.topic}'`],
        ]}
      />
    </section>
  );
}

function python(path: string, open: boolean, camera: boolean): string {
  const headers = open ? "" : ', headers={"Authorization": f"Bearer {key}"}';
  if (camera) return `import httpx\n\npicture = httpx.get("${path}/latest"${headers}).raise_for_status().content`;
  return `import pandas as pd\n\nhistory = pd.read_csv("${path}/observations?format=csv"${open ? "" : ', storage_options={"Authorization": f"Bearer {key}"}'})`;
}
