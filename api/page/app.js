// The page at /: offers once, then every new value of what is open, over one stream of Server-Sent Events.
// Whatever comes from the broker is set as text, never as markup.

const REFRESH_MS = 30_000; // how often it is looked whether offers came or went
const AGES_MS = 5_000; // how often "12 s ago" is written anew
const SILENT_MS = 60_000; // without a value for this long, the page says so

const LICENCES = {
  "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
  "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
  "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
  "ODbL-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
  "etalab-2.0": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
};
const UNITS = { Cel: "°C", "ug/m3": "µg/m³", "%": "%", "[mi_i]/h": "mph", "km/h": "km/h", "dB[SPL]": "dB", "1": "" };

const rows = new Map(); // release id -> its row
const waiting = new Map(); // release id -> newest observation, until the next frame draws it
let source = null;
let listening = "";
let lastHeard = 0;

const find = (id) => document.getElementById(id);

/** An element with these children; strings become text. */
function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function fetchAll(path) {
  const found = [];
  for (let next = `${path}?limit=1000`; next; ) {
    const answer = await fetch(next, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    found.push(...(await answer.json()));
    next = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("Link") ?? "")?.[1];
  }
  return found;
}

// --- what is offered

async function refresh() {
  try {
    const [offers, organisations] = await Promise.all([fetchAll("/api/v1/offers"), fetchAll("/api/v1/organisations")]);
    find("problem").hidden = true;
    const names = new Map(organisations.map((one) => [one.id, one.name]));
    const told = JSON.stringify([offers, organisations]);
    if (told !== refresh.told) {
      refresh.told = told;
      drawDatastreams(offers, names);
      drawOffers(offers, names);
      filter();
    }
    listen(offers);
  } catch (error) {
    find("problem").textContent = `The broker does not answer (${error.message}). This page tries again by itself.`;
    find("problem").hidden = false;
  }
}

function drawDatastreams(offers, names) {
  const before = new Map([...rows].map(([id, row]) => [id, row.observation]));
  rows.clear();
  const groups = Map.groupBy
    ? Map.groupBy(offers, (offer) => offer.organisation)
    : offers.reduce((all, offer) => all.set(offer.organisation, [...(all.get(offer.organisation) ?? []), offer]), new Map());
  find("groups").replaceChildren(
    ...(groups.size ? [...groups].map(([id, of]) => drawGroup(names.get(id) ?? id, of)) : [emptyState()]),
  );
  for (const [id, observation] of before) if (observation && rows.has(id)) show(id, observation, false);
}

function emptyState() {
  return element("p", { className: "note" },
    "Nothing is offered yet. An owner registers a gateway and datastreams and publishes an offer: ",
    element("a", { href: "/docs" }, "the calls are here"), ".");
}

function drawGroup(name, offers) {
  const body = element("tbody");
  for (const offer of offers) for (const release of offer.releases) body.append(drawRow(offer, release));
  const heads = ["Observed", "Last value", "When", "Detail", "Terms"].map((text) => element("th", { scope: "col" }, text));
  return element("section", { className: "group" },
    element("h3", {}, name),
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body));
}

function drawRow(offer, release) {
  const open = offer.terms.access === "open";
  const value = element("td", { className: "value" }, open ? "…" : "");
  const when = element("td", { className: "when quiet" }, open ? "" : "by agreement");
  const row = element("tr", {},
    element("td", {}, element("b", {}, release.observed_property ?? release.datastream), " ",
      element("span", { className: "quiet" }, release.datastream + (release.simulated ? " (simulated)" : ""))),
    value, when,
    element("td", {}, offer.profile.name),
    element("td", {}, element("a", { href: `#offer-${offer.id}` }, offer.terms.licence)));
  row.dataset.words = [release.datastream, release.observed_property, release.theme, release.description, offer.organisation,
    offer.profile.name, offer.terms.licence].join(" ").toLowerCase();
  rows.set(release.id, { row, value, when, unit: release.unit, observation: null });
  return row;
}

function drawOffers(offers, names) {
  find("cards").replaceChildren(...offers.map((offer) => {
    const { terms, profile } = offer;
    const facts = [
      ["Licence", licenceLink(terms.licence)],
      ["Attribution", terms.attribution],
      ["Detail", describe(profile)],
      ["Purposes", terms.purposes.includes("any") ? "any" : terms.purposes.join(", ")],
      ["Access", terms.access === "open" ? "open: no key, no agreement" : "one call accepts it: POST /api/v1/agreements"],
      ...(terms.expires ? [["Until", new Date(terms.expires).toLocaleString()]] : []),
      ...(terms.price ? [["Cost", terms.price]] : []),
      ["Topic", element("code", {}, `live/${offer.organisation}/${offer.id}/+`)],
      ["Datastreams", `${offer.releases.length}`],
    ];
    return element("article", { id: `offer-${offer.id}` },
      element("h3", {}, names.get(offer.organisation) ?? offer.organisation, " ",
        element("span", { className: "quiet" }, profile.name)),
      element("dl", {}, ...facts.flatMap(([term, said]) => [element("dt", {}, term), element("dd", {}, said)])));
  }));
}

function licenceLink(licence) {
  const known = LICENCES[licence] ?? (/^https?:\/\//.test(licence) ? licence : `https://spdx.org/licenses/${encodeURIComponent(licence)}`);
  return element("a", { href: known, rel: "license noreferrer" }, licence);
}

function describe(profile) {
  if (!profile.operators.length) return "as measured";
  return profile.operators.map((operator) => ({
    aggregate: () => `${operator.statistics.join(", ")} of every ${duration(operator.window)}`
      + ({ cell: " and cell", read_point: " and read point" }[operator.by] ?? "")
      + (operator.k ? `, withheld below ${operator.k} different ones` : ""),
    noise: () => `noise that hides any one, ε ${operator.epsilon} a window, at most ${operator.budget} every ${duration(operator.per)}`,
    pseudonymise: () => `tags under pseudonyms that change every ${duration(operator.rotate)}; `
      + "applications that accept this offer can join what they have of a tag",
  }[operator.op]?.() ?? operator.op)).join("; then ");
}

function duration(iso) {
  const words = { W: "week", D: "day", H: "hour", M: "minute", S: "second" };
  return iso.replace(/[PT]/g, "").replace(/(\d+)([WDHMS])/g, (_, n, unit) => `${n} ${words[unit]}${n === "1" ? "" : "s"} `).trim();
}

// --- live

function listen(offers) {
  const open = offers.filter((offer) => offer.terms.access === "open").flatMap((offer) => offer.releases.map((one) => one.id));
  const wanted = open.join(" ");
  if (wanted === listening && source?.readyState !== EventSource.CLOSED) return;
  source?.close();
  listening = wanted;
  if (!open.length) return state("quiet", offers.length ? "Nothing is open without an agreement" : "Nothing is offered yet");
  source = new EventSource("/api/v1/live");
  source.onopen = () => { lastHeard = Date.now(); state("live", "Live"); };
  source.onerror = () => state("waiting", "Reconnecting…");
  source.addEventListener("end", () => source.close()); // what may be read changed: the next refresh listens again
  for (const id of open) source.addEventListener(id, heard);
}

function heard(event) {
  if (!waiting.size) requestAnimationFrame(draw);
  waiting.set(event.type, JSON.parse(event.data));
  lastHeard = Date.now();
}

function draw() {
  for (const [id, observation] of waiting) show(id, observation, true);
  waiting.clear();
  state("live", "Live");
}

function show(id, observation, flash) {
  const row = rows.get(id);
  if (!row) return;
  row.observation = observation;
  const said = observation.tag ?? observation.epc ?? (observation.picture && "picture");
  row.value.textContent = said ? `${said.slice(0, 12)}…` : spell(observation.value, observation.unit ?? row.unit);
  row.value.title = said ?? String(observation.value);
  row.when.title = new Date(observation.time).toLocaleString();
  row.when.textContent = age(observation.time);
  if (flash) row.value.animate?.([{ backgroundColor: "var(--flash)" }, { backgroundColor: "transparent" }], still.matches ? 0 : 900);
}

function spell(value, unit) {
  const number = typeof value === "number" ? value.toLocaleString(undefined, { maximumFractionDigits: 2 }) : String(value);
  return unit ? `${number} ${UNITS[unit] ?? unit}` : number;
}

function age(time) {
  const seconds = Math.round((Date.now() - Date.parse(time)) / 1000);
  if (seconds < -1) return new Date(time).toLocaleString();
  if (seconds < 90) return `${Math.max(seconds, 0)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h ago` : new Date(time).toLocaleDateString();
}

function state(kind, text) {
  const shown = find("state");
  if (shown.textContent !== text) [shown.className, shown.textContent] = [kind, text];
}

function ages() {
  for (const { row, when, observation } of rows.values()) if (observation && !row.hidden) when.textContent = age(observation.time);
  if (source?.readyState === EventSource.OPEN && Date.now() - lastHeard > SILENT_MS) state("waiting", "Connected, but nothing comes");
}

function filter() {
  const wanted = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { row } of rows.values()) {
    row.hidden = !wanted.every((word) => row.dataset.words.includes(word));
    count += !row.hidden;
  }
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector("tbody tr:not([hidden])");
  find("shown").textContent = rows.size ? `${count} of ${rows.size}` : "";
}

const still = matchMedia("(prefers-reduced-motion: reduce)");
find("filter").addEventListener("input", filter);
setInterval(ages, AGES_MS);
setInterval(refresh, REFRESH_MS);
refresh();
