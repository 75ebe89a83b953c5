/** Disputes: opening one, in public, and the operator's ruling. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api";
import { Act } from "../loading";
import { useSession } from "../session";
import { t } from "../words";

export function overName(over: string): string {
  return { refusal: t("a refusal"), discrimination: t("being treated unlike others"), suspension: t("a suspension"), revocation: t("a revocation") }[over] ?? over;
}

/** What an agreement that has become so may be disputed over. */
export const disputable = (state: string): string | undefined => ({ refused: "refusal", suspended: "suspension", revoked: "revocation" })[state];

type About = { over: string; agreement: string | null; request: string | null; done: () => Promise<void> };

export function Complain({ over, agreement, request, done }: About): JSX.Element | null {
  const session = useSession();
  const [statement, setStatement] = useState("");
  const [unlike, setUnlike] = useState(false);
  const [sent, setSent] = useState(false);
  if (session?.role !== "organisation") return null;
  if (sent) return <div class="done"><strong>{t("Your dispute is public.")}</strong><p>{t("The operator rules on it, once and for everyone to read.")}</p></div>;
  const send = async (): Promise<void> => {
    await call("POST", "/api/v1/disputes", { over: unlike ? "discrimination" : over, ...(agreement ? { agreement } : { request }), statement });
    setSent(true);
    await done();
  };
  return (
    <section class="card">
      <h2>{t("Open a dispute over {what}", { what: overName(over) })}</h2>
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <label><span>{t("What happened, and why it is unfair")}</span><textarea value={statement} maxLength={1000} onInput={(event) => setStatement(event.currentTarget.value)} /><span class="hint">{t("Public, with your organisation’s name.")}</span></label>
        {agreement && over !== "suspension" && <label class="check"><input type="checkbox" checked={unlike} onChange={(event) => setUnlike(event.currentTarget.checked)} /> {t("Others are treated better")}</label>}
        <div class="actions"><Act does={send} disabled={!statement.trim()}>{t("Open the dispute")}</Act></div>
      </form>
    </section>
  );
}

export function Ruling({ dispute, ruled }: { dispute: string; ruled: () => Promise<void> }): JSX.Element {
  const [reasons, setReasons] = useState("");
  const rule = (upheld: boolean) => async (): Promise<void> => {
    await call("POST", `/api/v1/disputes/${dispute}/ruling`, { upheld, reasons });
    await ruled();
  };
  return (
    <form class="form" onSubmit={(event) => event.preventDefault()}>
      <label><span>{t("Your reasons, public; a ruling is final")}</span><textarea value={reasons} onInput={(event) => setReasons(event.currentTarget.value)} /></label>
      <div class="actions"><Act does={rule(true)} disabled={!reasons.trim()}>{t("Uphold")}</Act><Act class="button second" does={rule(false)} disabled={!reasons.trim()}>{t("Do not uphold")}</Act></div>
    </form>
  );
}
