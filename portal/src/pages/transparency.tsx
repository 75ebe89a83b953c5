/** Who shares what with whom, for which purposes, how much it is used and what it costs; every figure can be taken away. */
import type { ComponentChildren, JSX } from "preact";
import { get, type Entry } from "../api";
import { said, sentence, withOffers } from "../events";
import { moment, number, size } from "../format";
import { Empty, Shown, useLoading } from "../loading";
import { entries, lastSeq, organisationNames } from "../record";
import { Link, useAddress } from "../router";
import { t, tn } from "../words";

type Amount = { records: number; bytes: number };
type Money = { amount: string; currency: string };
type Sharing = {
  organisation: string; offers: number; datastreams: number; agreements_on_its_offers: number; applications: number; agreements_of_its_applications: number;
  given_live: Amount; given_http: Amount; used_live: Amount; used_http: Amount; received: Money[]; paid: Money[];
};
type InUse = {
  offer: string; organisation: string; access: string; licence: string; price: string | null; withdrawn: string | null; agreements: Record<string, number>;
  purposes: Record<string, number>; refusals: number; readers: Record<string, string>; published: Amount; live: Amount; http: Amount; charged: Money[]; received: Money[];
};
type Finding = { id: string; application: string; title: string; link: string; published: string };
type Account = { time: string; live_is: string; organisations: Sharing[]; offers: InUse[]; findings: Finding[] };
type Everything = { account: Account; names: ReadonlyMap<string, string>; events: Entry[] };
const LOOKED_AT = 2_000; // entries of the ledger that agreements and refusals are shown from

async function load(): Promise<Everything> {
  const [account, names, last] = await Promise.all([get<Account>("/api/v1/transparency"), organisationNames(), lastSeq()]);
  const recorded = await entries(last, LOOKED_AT);
  return { account, names: withOffers(names, recorded), events: recorded.filter((one) => one.event.startsWith("agreement_") || one.event === "offer_withdrawn") };
}

export function TransparencyPage(): JSX.Element {
  const [everything] = useLoading(load, []);
  return (
    <div class="column wide">
      <h1>{t("Who shares what, and who reads it")}</h1>
      <p class="lead">{t("Drawn up from the agreements that stand and from what was delivered under them. Organisations only: no person is in it.")}</p>
      <Shown of={everything}>{(all) => <Account {...all} />}</Shown>
    </div>
  );
}

function Account({ account, names, events }: Everything): JSX.Element {
  const wanted = useAddress().searchParams.get("offer");
  const offers = wanted ? account.offers.filter((one) => one.offer === wanted) : account.offers;
  const active = account.offers.reduce((sum, one) => sum + (one.agreements["active"] ?? 0), 0);
  const refusals = account.offers.reduce((sum, one) => sum + one.refusals, 0);
  const records = account.offers.reduce((sum, one) => sum + one.live.records + one.http.records, 0);
  return (
    <>
      <dl class="figures">
        <Figure n={account.organisations.filter((one) => one.offers).length} of={t("organisations share")} />
        <Figure n={account.organisations.reduce((sum, one) => sum + one.datastreams, 0)} of={t("sensors are offered")} />
        <Figure n={active} of={t("agreements stand")} />
        <Figure n={refusals} of={t("were refused")} />
        <Figure n={records} of={t("records delivered")} />
      </dl>
      <Table title={wanted ? t("One offer") : t("Offers")} exported="offers" note={wanted && <Link href="/transparency">{t("Show all offers")}</Link>}>
        {offers.length === 0 ? null : (
          <table>
            <thead><tr><th scope="col">{t("Offer")}</th><th scope="col">{t("Licence")}</th><th scope="col">{t("Purposes")}</th><th scope="col" class="figure">{t("Agreements")}</th><th scope="col" class="figure">{t("Refused")}</th><th scope="col" class="figure">{t("Records live")}</th><th scope="col" class="figure">{t("Records over HTTP")}</th><th scope="col">{t("Cost")}</th></tr></thead>
            <tbody>
              {offers.map((one) => (
                <tr key={one.offer}>
                  <td><strong>{names.get(one.organisation) ?? one.organisation}</strong><br /><span class="note" title={one.offer}>{names.get(one.offer) ?? one.offer}</span>{one.withdrawn && <> <span class="badge badge-bad">{t("withdrawn")}</span></>}</td>
                  <td>{one.licence}<br /><span class="note">{one.access === "open" ? t("open to all") : t("by agreement")}</span></td>
                  <td>{Object.entries(one.readers).slice(0, 6).map(([application, purposes]) => <div key={application}>{purposes.split(" ").join(", ")} <span class="note">{application}</span></div>)}{!Object.keys(one.readers).length && "–"}</td>
                  <td class="figure">{number(one.agreements["active"] ?? 0)}</td><td class="figure">{number(one.refusals)}</td>
                  <td class="figure" title={size(one.live.bytes)}>{number(one.live.records)}</td><td class="figure" title={size(one.http.bytes)}>{number(one.http.records)}</td>
                  <td>{one.price ?? (money(one.charged) || t("none"))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Table>
      <Table title={t("Organisations: what they give and what they take")} exported="organisations">
        {account.organisations.length === 0 ? null : (
          <table>
            <thead><tr><th scope="col">{t("Organisation")}</th><th scope="col" class="figure">{t("Sensors offered")}</th><th scope="col" class="figure">{t("Agreements on them")}</th><th scope="col" class="figure">{t("Records given")}</th><th scope="col" class="figure">{t("Applications")}</th><th scope="col" class="figure">{t("Records used")}</th><th scope="col">{t("Received / paid")}</th></tr></thead>
            <tbody>
              {account.organisations.map((one) => (
                <tr key={one.organisation}>
                  <td><Link href={`/?organisation=${one.organisation}`}>{names.get(one.organisation) ?? one.organisation}</Link></td>
                  <td class="figure">{number(one.datastreams)}</td><td class="figure">{number(one.agreements_on_its_offers)}</td><td class="figure">{number(one.given_live.records + one.given_http.records)}</td>
                  <td class="figure">{number(one.applications)}</td><td class="figure">{number(one.used_live.records + one.used_http.records)}</td>
                  <td>{[money(one.received), money(one.paid)].map((sum) => sum || "0").join(" / ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Table>
      <p class="note">{account.live_is}</p>
      <div class="halves">
        <Recent title={t("Agreements")} events={events.filter((one) => one.event !== "agreement_refused" && (!wanted || one["offer"] === wanted))} names={names} none={t("Nobody has agreed to anything yet. An application accepts an offer in one click.")} />
        <Recent title={t("Refusals")} events={events.filter((one) => one.event === "agreement_refused" && (!wanted || one["offer"] === wanted))} names={names} none={t("Nobody was refused. When somebody is, the reason stands here.")} />
      </div>
      <section aria-labelledby="findings">
        <h2 id="findings">{t("What came of it")}</h2>
        {account.findings.length ? (
          <ul class="steps">{account.findings.map((one) => <li key={one.id}><a href={one.link} rel="noreferrer">{one.title}</a> <span>{one.application}, {moment(one.published)}</span></li>)}</ul>
        ) : <Empty><p>{t("No application has published what it learned yet. A developer does so with POST /api/v1/applications/{application}/findings.", { application: "ID" })}</p></Empty>}
      </section>
    </>
  );
}

function Figure({ n, of }: { n: number; of: string }): JSX.Element {
  return <div><dt>{of}</dt><dd>{number(n)}</dd></div>;
}

function money(sums: readonly Money[]): string {
  return sums.map((one) => `${one.amount} ${one.currency}`).join(", ");
}

function Table({ title, exported, children, note }: { title: string; exported: string; children: ComponentChildren; note?: ComponentChildren }): JSX.Element {
  return (
    <section aria-labelledby={`table-${exported}`}>
      <div class="heading">
        <h2 id={`table-${exported}`}>{title}</h2>
        <span class="actions">{note} <a href={`/api/v1/transparency?format=csv&table=${exported}`} download={`${exported}.csv`}>CSV</a> <a href="/api/v1/transparency" download="transparency.json">JSON</a></span>
      </div>
      {children ? <div class="scroll" tabIndex={0} role="region" aria-label={title}>{children}</div> : <Empty><p>{t("Nothing is offered yet.")}</p></Empty>}
    </section>
  );
}

function Recent({ title, events, names, none }: { title: string; events: readonly Entry[]; names: ReadonlyMap<string, string>; none: string }): JSX.Element {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  return (
    <section aria-labelledby={id}>
      <div class="heading"><h2 id={id}>{title}</h2><a href="/api/v1/ledger?format=ndjson" download="ledger.ndjson">NDJSON</a></div>
      {events.length ? (
        <>
          <ol class="record">
            {events.slice(0, 12).map((entry) => (
              <li key={entry.seq}><div><p>{sentence(entry, names)}{said(entry) && <q>{said(entry)}</q>}</p><p class="note">{moment(entry.time)}</p></div></li>
            ))}
          </ol>
          {events.length > 12 && <p class="note">{tn(events.length - 12, "{n} more in the ledger.", "{n} more in the ledger.")} <Link href="/ledger">{t("Open the ledger")}</Link></p>}
        </>
      ) : <Empty><p>{none}</p></Empty>}
    </section>
  );
}
