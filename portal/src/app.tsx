/** The frame of every page, and which page an address has. */
import type { ComponentType, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { appearance, choose, isDark, onAppearance, type Appearance } from "./appearance";
import { Explore } from "./pages/explore";
import { Link, navigate, useAddress } from "./router";
import { loadSession, signOut, useSession } from "./session";
import { chooseLanguage, language, languages, t } from "./words";

type Page = ComponentType<{ parts: string[] }>;
/** What an address's first part stands for; the server knows the same ones (api/routes/portal.py). */
const PAGES: Readonly<Record<string, { title: () => string; load: () => Promise<Page> }>> = {
  sensors: { title: () => t("Sensor"), load: async () => (await import("./pages/sensor")).SensorPage },
  cameras: { title: () => t("Cameras"), load: async () => (await import("./pages/cameras")).CamerasPage },
  transparency: { title: () => t("Transparency"), load: async () => (await import("./pages/transparency")).TransparencyPage },
  requests: { title: () => t("Ask for data"), load: async () => (await import("./pages/requests")).RequestsPage },
  ledger: { title: () => t("The public ledger"), load: async () => (await import("./pages/ledger")).LedgerPage },
  residents: { title: () => t("For residents"), load: async () => (await import("./pages/residents")).ResidentsPage },
  developer: { title: () => t("For developers"), load: async () => (await import("./pages/developer")).DeveloperPage },
  owner: { title: () => t("For owners"), load: async () => (await import("./pages/owner")).OwnerPage },
  operator: { title: () => t("Operation"), load: async () => (await import("./pages/operator")).OperatorPage },
  docs: { title: () => t("Reference"), load: async () => (await import("./pages/reference")).ReferencePage },
  "sign-in": { title: () => t("Sign in"), load: async () => (await import("./pages/signin")).SignInPage },
  join: { title: () => t("Join"), load: async () => (await import("./pages/signin")).JoinPage },
};

export function App(): JSX.Element {
  const [spoken, speak] = useState(language());
  useEffect(() => void loadSession(), []);
  const address = useAddress();
  const parts = address.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  return (
    <div class="frame" key={spoken}>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>{t("Skip to the content")}</a>
      <Header at={parts[0] ?? ""} speak={speak} />
      <main id="main" tabIndex={-1} class={parts.length ? "page" : "explore"}>
        {parts.length ? <Loaded parts={parts} /> : <Explore />}
      </main>
      {parts.length > 0 && <Footer />}
    </div>
  );
}

function Loaded({ parts }: { parts: string[] }): JSX.Element {
  const page = PAGES[parts[0] ?? ""];
  const [Found, set] = useState<Page | null>(null);
  useEffect(() => {
    set(null);
    document.title = `${page?.title() ?? t("Not found")} · Mitoyen`;
    void page?.load().then((found) => set(() => found));
  }, [parts[0]]);
  if (!page) return <NotFound />;
  return Found ? <Found parts={parts.slice(1)} key={parts.join("/")} /> : <p class="waiting" role="status">{t("One moment…")}</p>;
}

function NotFound(): JSX.Element {
  return (
    <div class="column">
      <h1>{t("There is no such page")}</h1>
      <p>{t("The address may be mistyped, or what was here is gone.")} <Link href="/">{t("Go to the map")}</Link></p>
    </div>
  );
}

function Header({ at, speak }: { at: string; speak: (language: string) => void }): JSX.Element {
  const session = useSession();
  const pages = useRef<HTMLElement>(null);
  useEffect(() => pages.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }), [at, session?.role]); // on a narrow screen not all are in view
  const items: [string, string][] = [
    ["", t("Map")],
    ["cameras", t("Cameras")],
    ["transparency", t("Transparency")],
    ["requests", t("Requests")],
    ["ledger", t("Ledger")],
    ["residents", t("Residents")],
    ["developer", t("Developers")],
    ["owner", t("Owners")],
    ...(session?.role === "operator" ? [["operator", t("Operation")] as [string, string]] : []),
  ];
  return (
    <header class="top">
      <Link href="/" class="brand" aria-label={t("Mitoyen, to the map")}><Mark /><span>Mitoyen</span></Link>
      <nav ref={pages} aria-label={t("Pages")}>
        <ul>
          {items.map(([path, name]) => (
            <li key={path}><Link href={`/${path}`} aria-current={at === path ? "page" : undefined}>{name}</Link></li>
          ))}
        </ul>
      </nav>
      <div class="settings">
        <Appearances />
        <select aria-label={t("Language")} value={language()} onChange={(event) => void chooseLanguage(event.currentTarget.value).then(() => speak(language()))}>
          {languages.map((one) => <option value={one} key={one} lang={one}>{one.toUpperCase()}</option>)}
        </select>
        {session ? <button type="button" class="quiet-button" title={session.name} onClick={() => void signOut().then(() => navigate("/"))}>{t("Sign out")}</button> : <Link class="quiet-button" href="/sign-in">{t("Sign in")}</Link>}
      </div>
    </header>
  );
}

function Appearances(): JSX.Element {
  const [dark, set] = useState(isDark());
  useEffect(() => onAppearance(() => set(isDark())), []);
  const next: Appearance = appearance() === "system" ? (dark ? "light" : "dark") : dark ? "light" : "dark";
  return (
    <button type="button" class="icon-button" aria-label={dark ? t("Light appearance") : t("Dark appearance")} onClick={() => choose(next)}>
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><circle cx="10" cy="10" r="7" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor" /></svg>
    </button>
  );
}

/** Two houses and the wall that they share. */
function Mark(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect x="2" y="10" width="13" height="18" rx="1.5" class="mark-one" /><rect x="17" y="4" width="13" height="24" rx="1.5" class="mark-two" /><rect x="14.4" y="10" width="3.2" height="18" class="mark-wall" />
    </svg>
  );
}

function Footer(): JSX.Element {
  return (
    <footer class="bottom">
      <p>{t("Everything here is also an open interface:")} <Link href="/docs">{t("reference")}</Link>, <a href="/openapi.json">OpenAPI</a>, <a href="/asyncapi.json">AsyncAPI</a>, <a href="/catalog.jsonld">DCAT-AP</a>, <a href="/v1.1">SensorThings</a>, <a href="/api/v1/ledger">{t("ledger")}</a>.</p>
    </footer>
  );
}
