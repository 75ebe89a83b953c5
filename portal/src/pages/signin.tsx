/** Signing in with a key, and joining as an organisation. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, get, Problem } from "../api";
import { Secret } from "../secret";
import { Act, Shown, Trouble, useLoading } from "../loading";
import { Link, navigate, useAddress } from "../router";
import { signIn, useSession, type Session } from "../session";
import { setting } from "../setting";
import { t } from "../words";

export const home = (session: Session): string => ({ operator: "/operator", application: "/developer", organisation: "/owner" })[session.role];

/** Where to go after signing in: an address of the portal, and none of another site. */
function next(session: Session, to: string | null): string {
  return to?.startsWith("/") && !to.startsWith("//") ? to : home(session);
}

export function SignInPage(): JSX.Element {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const session = useSession();
  const query = useAddress().searchParams;
  const to = query.get("to");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      navigate(next(await signIn(key), to));
    } catch (error) {
      setProblem(error instanceof Problem ? error : null);
      setBusy(false);
    }
  };
  return (
    <div class="column narrow">
      <h1>{t("Sign in")}</h1>
      <p class="lead">{t("With the key of your organisation, of one of its applications, or the operator’s.")}</p>
      {query.has("refused") && <Trouble problem={new Problem(0, t("You are not signed in"), refusal(query.get("refused")!), "")} />}
      {session && <p class="done">{t("You are signed in as {name}.", { name: session.name || t("the operator") })} <Link href={home(session)}>{t("Go on")}</Link></p>}
      <form class="form" onSubmit={(event) => void submit(event)}>
        <label><span>{t("Key")}</span><input type="password" name="key" autocomplete="current-password" value={key} required onInput={(event) => setKey(event.currentTarget.value)} spellcheck={false} /><span class="hint">{t("It begins with mitoyen_ and was shown once, when it was made. This browser does not keep it: it gets a cookie for twelve hours.")}</span></label>
        {problem && <Trouble problem={problem} />}
        <div class="actions"><button class="button" disabled={busy || !key.trim()}>{t("Sign in")}</button><Link class="button second" href="/join">{t("I have no key: join")}</Link></div>
      </form>
      <Provider to={to} />
    </div>
  );
}

/** The way over the operator's provider, where there is one: an address of the broker's, which sends one there. */
function Provider({ to }: { to: string | null }): JSX.Element | null {
  const [set] = useLoading(setting, []);
  if (set.state !== "here" || set.value.sign_in === null) return null;
  return (
    <section aria-labelledby="provider">
      <h2 id="provider">{t("Without a key")}</h2>
      <p>{t("Your organisation’s own login counts here, too.")}</p>
      <div class="actions"><a class="button second" href={`/session/provider?to=${encodeURIComponent(to ?? "/owner")}`}>{t("Sign in at {provider}", { provider: set.value.sign_in })}</a></div>
    </section>
  );
}

/** Why the provider's word did not count. */
function refusal(reason: string): string {
  return {
    unreachable: t("The provider does not answer, or not as it should. Try again in a moment; if it stays so, tell the operator."),
    stale: t("This sign-in was not begun in this browser, or more than ten minutes ago. Begin anew."),
    denied: t("The provider did not let you in."),
    no_organisation: t("The provider names no organisation for you that is registered here. Ask whoever runs your logins, or sign in with a key."),
    organisation_suspended: t("Your organisation is suspended: ask the operator."),
  }[reason] ?? t("The provider’s answer does not hold. Begin anew; if it stays so, tell the operator.");
}

type Rules = { mode: "automatic" | "criteria" | "closed"; criteria: string[] };
type Made = { signup: string; id: string; name: string; key: string; state: "granted" | "requested" };

export function JoinPage(): JSX.Element {
  const [rules] = useLoading(() => get<Rules>("/api/v1/signup"), []);
  const [made, setMade] = useState<Made | null>(null);
  return (
    <div class="column narrow">
      <h1>{made ? t("Welcome, {name}", { name: made.name }) : t("Join")}</h1>
      {made ? <Joined made={made} /> : <Shown of={rules}>{(found) => (found.mode === "closed" ? <p class="lead">{t("Here the operator registers organisations. Ask for a key.")}</p> : <Form rules={found} made={setMade} />)}</Shown>}
    </div>
  );
}

function Form({ rules, made }: { rules: Rules; made: (made: Made) => void }): JSX.Element {
  const [name, setName] = useState("");
  const [contact, setContact] = useState("");
  const [statement, setStatement] = useState("");
  const join = async (): Promise<void> => made(await call<Made>("POST", "/api/v1/signup", { name, ...(contact ? { contact } : {}), ...(statement ? { statement } : {}) }));
  return (
    <>
      <p class="lead">{t("An organisation, a team, a class or one person: whoever shares sensors or builds on them. It takes a minute, and trying things in the sandbox needs no agreement.")}</p>
      {rules.criteria.length > 0 && <div class="card"><h2>{t("What the operator decides by")}</h2><ul>{rules.criteria.map((one) => <li key={one}>{one}</li>)}</ul></div>}
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <label><span>{t("Name")}</span><input value={name} autocomplete="organization" onInput={(event) => setName(event.currentTarget.value)} /><span class="hint">{t("Public, as is all that you share or use.")}</span></label>
        <label><span>{t("Contact")}</span><input value={contact} autocomplete="email" onInput={(event) => setContact(event.currentTarget.value)} /><span class="hint">{t("Public; may be left out.")}</span></label>
        {rules.mode === "criteria" && <label><span>{t("How you meet the criteria")}</span><textarea value={statement} onInput={(event) => setStatement(event.currentTarget.value)} /><span class="hint">{t("For the operator alone.")}</span></label>}
        <div class="actions"><Act does={join} disabled={!name.trim()}>{t("Join")}</Act><Link href="/sign-in">{t("I have a key")}</Link></div>
      </form>
    </>
  );
}

function Joined({ made }: { made: Made }): JSX.Element {
  const granted = made.state === "granted";
  useEffect(() => {
    if (granted) void signIn(made.key);
  }, []);
  return (
    <div class="stack">
      <Secret name={t("Your organisation’s key")} value={made.key} />
      {granted ? (
        <>
          <p class="done"><strong>{t("You are signed in.")}</strong></p>
          <div class="cards">
            <Link class="card door" href="/developer"><h2>{t("Build something")}</h2><p>{t("Make an application, try the sandbox, accept an offer.")}</p></Link>
            <Link class="card door" href="/owner"><h2>{t("Share something")}</h2><p>{t("Connect a gateway and offer what it observes, on your terms.")}</p></Link>
          </div>
        </>
      ) : <p>{t("The operator decides by the published criteria. Then the key opens; see /api/v1/signups/{signup}.", { signup: made.signup })}</p>}
    </div>
  );
}
