/** The map and the directory beside it: what stands where, who shares it, and what it says now. */
import type { JSX } from "preact";
import { useDeferredValue } from "../deferred";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getAll, type Observation, type Organisation } from "../api";
import { useNow } from "../clock";
import { accessName, accessOf, choices, directory, matching, NOTHING_WANTED, pathOf, type Stream, type Wanted } from "../directory";
import { age, capital, kindName, unitName, valueOf } from "../format";
import { listen } from "../live";
import { Empty, Shown, useLoading } from "../loading";
import { CityMap, type Spot, type View } from "../map";
import { Link, navigate, setQuery, useAddress } from "../router";
import { themeColour, themeName } from "../themes";
import { locale, t, tn } from "../words";

const LISTEN_AFTER_MS = 300; // of typing that pauses: not for each key a new stream
const DRAW_AFTER_MS = 250; // likewise the map
const A_PAGE = 40; // rows that are shown, and listened to, at first

type City = { streams: Stream[]; names: ReadonlyMap<string, string> };

async function load(): Promise<City> {
  const names = new Map((await getAll<Organisation>("/api/v1/organisations?limit=10000")).map((one) => [one.id, one.name]));
  return { streams: await directory(names), names };
}

export function Explore(): JSX.Element {
  const [city] = useLoading(load, []);
  useEffect(() => {
    document.title = `Mitoyen: ${t("what this city’s sensors say")}`;
  }, []);
  return (
    <>
      <h1 class="hidden">{t("Sensors of this city")}</h1>
      {city.state === "here" ? <Found city={city.value} /> : <div class="panel"><Shown of={city}>{() => null}</Shown></div>}
    </>
  );
}

function Found({ city }: { city: City }): JSX.Element {
  const query = useAddress().searchParams;
  const asked = JSON.stringify(Object.fromEntries(Object.keys(NOTHING_WANTED).map((name) => [name, query.get(name) ?? ""])));
  const wanted = useMemo(() => JSON.parse(asked) as Wanted, [asked]); // the same while only the map moves
  const found = useMemo(() => matching(city.streams, wanted), [city, wanted]);
  const drawn = useDeferredValue(found, DRAW_AFTER_MS);
  const placed = useMemo(() => drawn.filter((one) => one.place), [drawn]);
  const spots = useMemo<Spot[]>(() => placed.map((one) => ({ place: one.place!, colour: themeColour(one.theme), hollow: accessOf(one) === "closed" })), [placed]);
  return (
    <>
      <section class="panel" aria-label={t("Directory")}>
        <Filters city={city} wanted={wanted} />
        <p class="count" role="status">{tn(found.length, "{n} sensor", "{n} sensors")}{found.length < city.streams.length && <> {t("of {n}", { n: city.streams.length })} · <button type="button" class="link" onClick={() => setQuery({ ...NOTHING_WANTED })}>{t("show all")}</button></>}</p>
        <List found={found} city={city} />
      </section>
      <CityMap spots={spots} fit view={viewOf(query.get("at"))} label={t("Map of the sensors. The list has the same.")} onView={keepView} onChoose={(i) => navigate(pathOf(placed[i]!))} />
      <Legend city={city} />
    </>
  );
}

function viewOf(at: string | null): View | undefined {
  const [x, y, zoom] = (at ?? "").split(",").map(Number);
  return x !== undefined && y !== undefined && zoom !== undefined && [x, y, zoom].every(Number.isFinite) ? { place: [x, y], zoom } : undefined;
}

function keepView({ place, zoom }: View): void {
  if (location.pathname === "/") setQuery({ at: [place[0].toFixed(4), place[1].toFixed(4), zoom.toFixed(2)].join(",") });
}

function Filters({ city, wanted }: { city: City; wanted: Wanted }): JSX.Element {
  const all = city.streams;
  const [more, setMore] = useState(!!(wanted.licence || wanted.purpose || wanted.organisation || wanted.kind || wanted.access));
  const options = useMemo(
    () => ({
      theme: choices(all, (one) => [one.theme]),
      kind: choices(all, (one) => [one.kind]),
      access: choices(all, (one) => [accessOf(one)]),
      licence: choices(all, (one) => one.licences ?? []),
      purpose: choices(all, (one) => (one.purposes ?? []).filter((purpose) => purpose !== "any")),
      organisation: choices(all, (one) => [one.organisation]),
    }),
    [all],
  );
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <span class="hidden">{t("Search")}</span>
        <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><circle cx="8.5" cy="8.5" r="5.5" fill="none" stroke="currentColor" stroke-width="1.8" /><path d="m13 13 4.5 4.5" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" /></svg>
        <input type="search" placeholder={t("Noise, PM2.5, parking, a sensor’s name…")} value={wanted.q} onInput={(event) => setQuery({ q: event.currentTarget.value })} />
      </label>
      <div class="themes" role="group" aria-label={t("Theme")}>
        {options.theme.slice(0, 9).map(([theme]) => (
          <button type="button" key={theme} class="theme" aria-pressed={wanted.theme === theme} onClick={() => setQuery({ theme: wanted.theme === theme ? "" : theme })}>
            <Dot theme={theme} />{themeName(theme)}
          </button>
        ))}
        <button type="button" class="theme more" aria-expanded={more} onClick={() => setMore(!more)}>{more ? t("Fewer filters") : t("More filters")}</button>
      </div>
      {more && (
        <div class="selects">
          <Choice name="kind" label={t("Kind")} value={wanted.kind} options={options.kind} named={kindName} />
          <Choice name="access" label={t("Access")} value={wanted.access} options={options.access} named={accessName} />
          <Choice name="licence" label={t("Licence")} value={wanted.licence} options={options.licence} />
          <Choice name="purpose" label={t("Permitted for")} value={wanted.purpose} options={options.purpose} />
          <Choice name="organisation" label={t("Owner")} value={wanted.organisation} options={options.organisation} named={(id) => city.names.get(id) ?? id} />
        </div>
      )}
    </form>
  );
}

function Choice({ name, label, value, options, named = (one) => one }: { name: string; label: string; value: string; options: [string, number][]; named?: (one: string) => string }): JSX.Element {
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => setQuery({ [name]: event.currentTarget.value })}>
        <option value="">{t("any")}</option>
        {options.map(([one, count]) => <option key={one} value={one}>{`${named(one)} (${count.toLocaleString(locale())})`}</option>)}
      </select>
    </label>
  );
}

function List({ found, city }: { found: readonly Stream[]; city: City }): JSX.Element {
  const [pages, setPages] = useState({ of: found, shown: A_PAGE });
  const shown = pages.of === found ? pages.shown : A_PAGE; // what is asked for anew begins at its first page
  const rows = found.slice(0, shown);
  const now = useNow();
  const last = useLast(rows);
  if (!city.streams.length) {
    return <Empty><p>{t("No sensor is registered yet.")}</p><p>{t("Owners begin by connecting a gateway; with `mitoyen demo` there is a simulated city to look at.")}</p></Empty>;
  }
  if (!found.length) {
    return <Empty><p>{t("Nothing matches.")}</p><p>{t("Take a filter away, or ask an owner for what is missing.")}</p><button type="button" class="button" onClick={() => setQuery({ ...NOTHING_WANTED })}>{t("Show all")}</button></Empty>;
  }
  return (
    <>
      <ul class="streams">
        {rows.map((one) => <Row key={`${one.organisation}/${one.datastream}`} one={one} owner={city.names.get(one.organisation) ?? one.organisation} last={one.release ? last.get(one.release) : undefined} now={now} />)}
      </ul>
      {found.length > shown && <button type="button" class="button more-rows" onClick={() => setPages({ of: found, shown: shown + A_PAGE })}>{t("Show more")}</button>}
    </>
  );
}

/** The last values of what is listed and open to all, as they come; drawn at most once a frame. */
function useLast(rows: readonly Stream[]): ReadonlyMap<string, Observation> {
  const releases = useDeferredValue(rows.flatMap((one) => one.release ?? []).join(), LISTEN_AFTER_MS);
  const [last, set] = useState<ReadonlyMap<string, Observation>>(new Map());
  const waiting = useRef(new Map<string, Observation>());
  useEffect(
    () =>
      listen(releases ? releases.split(",") : [], (release, observation) => {
        if (!waiting.current.size) requestAnimationFrame(() => { const come = new Map(waiting.current); waiting.current.clear(); set((before) => new Map([...before, ...come])); });
        waiting.current.set(release, observation);
      }),
    [releases],
  );
  return last;
}

function Row({ one, owner, last, now }: { one: Stream; owner: string; last: Observation | undefined; now: number }): JSX.Element {
  return (
    <li>
      <Link href={pathOf(one)} class="stream">
        <Dot theme={one.theme} hollow={accessOf(one) === "closed"} />
        <span class="what"><strong>{capital(t(one.observed_property ?? kindName(one.kind)))}</strong><span class="where">{one.datastream} · {owner}</span></span>
        <span class="says">
          {last ? <><span class="value" key={last.time}>{valueOf(last)} <small>{unitName(last.unit ?? one.unit)}</small></span><time dateTime={last.time}>{age(last.time, now)}</time></> : <span class="access">{accessName(accessOf(one))}</span>}
        </span>
      </Link>
    </li>
  );
}

function Legend({ city }: { city: City }): JSX.Element {
  const closed = city.streams.some((one) => accessOf(one) === "closed");
  return (
    <p class="legend">
      <span><i class="dot filled" />{t("offered")}</span>
      {closed && <span><i class="dot hollow" />{t("closed, place only to some 5 km²")}</span>}
    </p>
  );
}

export function Dot({ theme, hollow = false }: { theme: string | null | undefined; hollow?: boolean }): JSX.Element {
  const colour = themeColour(theme);
  return <svg class="dot" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><circle cx="6" cy="6" r="4.4" fill={hollow ? "none" : colour} stroke={colour} stroke-width="2" /></svg>;
}
