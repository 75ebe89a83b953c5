/** For owners: gateways and how they do, sensors, offers, who asks and who uses them. */
import type { ComponentChildren, JSX } from "preact";
import { call, get, getAll, type Offer } from "../api";
import { age, capital, kindName, unitName } from "../format";
import { useNow } from "../clock";
import { Act, Empty, Shown, useLoading } from "../loading";
import { Link } from "../router";
import { useSession } from "../session";
import { t, tn } from "../words";
import type { Agreement } from "./developer";
import { GatewayPage, NewGatewayPage } from "./gateway";
import { NewOfferPage, OfferPage } from "./offering";

export type Gateway = { id: string; name: string; format: string; state: "live" | "silent"; since: string | null; reason: string | null; last_seen: string | null; accepted: number; rejected: number };
export type Datastream = { id: string; gateway: string; kind: "measurement" | "rfid" | "camera"; observed_property: string | null; unit: string | null; theme: string | null; personal_data: boolean; location: { coordinates: [number, number] } | null; description: string | null; closed: string | null };

export function OwnerPage({ parts }: { parts: string[] }): JSX.Element {
  const session = useSession();
  const [what, id = ""] = parts;
  if (session === undefined) return <Column>{null}</Column>;
  if (session?.role !== "organisation") return <Column><Welcome /></Column>;
  if (what === "gateways") return <Column>{id === "new" ? <NewGatewayPage /> : <GatewayPage id={id} />}</Column>;
  if (what === "offers") return <Column>{id === "new" ? <NewOfferPage organisation={session} /> : <OfferPage id={id} />}</Column>;
  return <Column><Overview organisation={session.id} name={session.name} /></Column>;
}

const Column = ({ children }: { children: ComponentChildren }): JSX.Element => <div class="column wide">{children}</div>;

function Welcome(): JSX.Element {
  return (
    <>
      <h1>{t("For owners")}</h1>
      <p class="lead">{t("Connect hardware once, and say under which licence and in how much detail others may have what it observes. You see who uses it, and end it when you want to.")}</p>
      <ol class="way">
        <li><strong>{t("Connect a gateway")}</strong> {t("It speaks MQTT, in its own format: some twenty are understood.")}</li>
        <li><strong>{t("Publish an offer")}</strong> {t("You see first what others would see, raw beside released.")}</li>
        <li><strong>{t("Watch the use, revoke")}</strong> {t("An end takes effect within a second, and the reason is public.")}</li>
      </ol>
      <div class="actions"><Link class="button" href="/join">{t("Join")}</Link><Link class="button second" href="/sign-in?to=/owner">{t("Sign in")}</Link></div>
    </>
  );
}

type All = { gateways: Gateway[]; datastreams: Datastream[]; offers: Offer[]; asked: Agreement[] };

function Overview({ organisation, name }: { organisation: string; name: string }): JSX.Element {
  const [all, again] = useLoading<All>(async () => {
    const [gateways, datastreams, offers, agreements] = await Promise.all([
      getAll<Gateway>("/api/v1/gateways?limit=1000"), getAll<Datastream>("/api/v1/datastreams?limit=10000"),
      getAll<Offer>(`/api/v1/offers?organisation=${organisation}&limit=1000`), getAll<Agreement>("/api/v1/agreements?limit=10000"),
    ]);
    const own = new Set(offers.map((one) => one.id));
    return { gateways, datastreams, offers, asked: agreements.filter((one) => one.state === "requested" && own.has(one.offer)) };
  }, [organisation]);
  return (
    <>
      <h1>{name}</h1>
      <Shown of={all}>
        {(found) => (
          <>
            {found.asked.length > 0 && <Asked asked={found.asked} offers={found.offers} again={again} />}
            <Gateways gateways={found.gateways} />
            <Sensors datastreams={found.datastreams} offers={found.offers} organisation={organisation} />
            <Offers offers={found.offers} any={found.datastreams.length > 0} />
          </>
        )}
      </Shown>
    </>
  );
}

function Section({ id, title, action, children }: { id: string; title: string; action?: ComponentChildren; children: ComponentChildren }): JSX.Element {
  return <section aria-labelledby={id}><div class="heading"><h2 id={id}>{title}</h2>{action}</div>{children}</section>;
}

function Gateways({ gateways }: { gateways: Gateway[] }): JSX.Element {
  const now = useNow();
  return (
    <Section id="gateways" title={t("Gateways")} action={gateways.length > 0 && <Link class="button second" href="/owner/gateways/new">{t("Connect a gateway")}</Link>}>
      {gateways.length ? (
        <ul class="rows">
          {gateways.map((one) => (
            <li key={one.id}><Link href={`/owner/gateways/${one.id}`}>
              <strong>{one.name}</strong> <span class={one.state === "live" ? "live on" : "live"}>{one.state === "live" ? t("live") : one.last_seen ? t("silent") : t("never heard")}</span>
              <span class="note">{one.last_seen && age(one.last_seen, now)} · {tn(one.accepted, "{n} record taken", "{n} records taken")}{one.rejected > 0 && <> · <b class="bad">{tn(one.rejected, "{n} refused", "{n} refused")}</b></>}</span>
            </Link></li>
          ))}
        </ul>
      ) : <Empty><p>{t("No gateway yet. It is what your hardware speaks through: an MQTT login of its own.")}</p><Link class="button" href="/owner/gateways/new">{t("Connect a gateway")}</Link></Empty>}
    </Section>
  );
}

function Sensors({ datastreams, offers, organisation }: { datastreams: Datastream[]; offers: Offer[]; organisation: string }): JSX.Element {
  const offered = new Set(offers.flatMap((one) => one.releases.map((release) => release.datastream)));
  return (
    <Section id="sensors" title={t("Sensors")}>
      {datastreams.length ? (
        <ul class="rows">
          {datastreams.slice(0, 200).map((one) => (
            <li key={one.id}><Link href={`/sensors/${organisation}/${one.id}`}><strong>{capital(t(one.observed_property ?? kindName(one.kind)))}</strong> <code>{one.id}</code> <span class="note">{unitName(one.unit)} {offered.has(one.id) ? t("offered") : t("not offered")}</span></Link></li>
          ))}
        </ul>
      ) : <Empty><p>{t("No sensor yet. Open a gateway to describe what it carries, or to adopt a device that was heard.")}</p></Empty>}
    </Section>
  );
}

function Offers({ offers, any }: { offers: Offer[]; any: boolean }): JSX.Element {
  return (
    <Section id="offers" title={t("Offers")} action={offers.length > 0 && <Link class="button second" href="/owner/offers/new">{t("Publish an offer")}</Link>}>
      {offers.length ? (
        <ul class="rows">
          {offers.map((one) => <li key={one.id}><Link href={`/owner/offers/${one.id}`}><strong>{one.profile.name}</strong> <code>{one.id}</code> <span class="note">{tn(one.releases.length, "{n} sensor", "{n} sensors")} · {one.terms.licence} · {one.terms.access === "open" ? t("open to all") : t("by agreement")}</span></Link></li>)}
        </ul>
      ) : <Empty><p>{any ? t("You offer nothing yet. Say how much detail others may have, and see it through their eyes first.") : t("An offer is made of sensors: describe one first.")}</p>{any && <Link class="button" href="/owner/offers/new">{t("Publish an offer")}</Link>}</Empty>}
    </Section>
  );
}

function Asked({ asked, offers, again }: { asked: Agreement[]; offers: Offer[]; again: () => Promise<void> }): JSX.Element {
  const decide = async (one: Agreement, criterion: string | null): Promise<void> => {
    await call("POST", `/api/v1/agreements/${one.id}/decision`, criterion === null ? { grant: true } : { grant: false, criterion });
    await again();
  };
  return (
    <Section id="asked" title={tn(asked.length, "{n} application waits for your decision", "{n} applications wait for your decision")}>
      {asked.map((one) => (
        <article class="card" key={one.id}>
          <h3>{t("{application} wants {offer} for “{purpose}”", { application: one.application, offer: one.offer, purpose: one.purpose })}</h3>
          <div class="actions">
            <Act does={() => decide(one, null)}>{t("Grant")}</Act>
            {(offers.find((offer) => offer.id === one.offer)?.terms.criteria ?? []).map((criterion) => <Act key={criterion} class="button danger" does={() => decide(one, criterion)}>{t("Refuse: {criterion}", { criterion })}</Act>)}
          </div>
        </article>
      ))}
    </Section>
  );
}

export const gatewayOf = (id: string): Promise<Gateway> => get<Gateway>(`/api/v1/gateways/${id}`);
