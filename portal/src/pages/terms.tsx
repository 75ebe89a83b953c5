/** The terms of an offer: what an owner chooses, as fields, and as the broker takes them; and their change. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, type Offer, type Terms } from "../api";
import { Act } from "../loading";
import { t } from "../words";

export type Chosen = { licence: string; attribution: string; access: "click" | "open"; purposes: string; quota: string };

const LICENCES = ["CC-BY-4.0", "CC0-1.0", "ODbL-1.0", "etalab-2.0", "CC-BY-NC-4.0"];

/** As the broker takes them. */
export function termsOf({ licence, attribution, access, purposes, quota }: Chosen): { licence: string; attribution: string; access: "click" | "open"; purposes: string[]; quota?: Terms["quota"] } {
  return {
    licence, attribution, access, purposes: access === "click" && purposes.trim() ? purposes.trim().split(/[\s,]+/) : ["any"],
    ...(access === "click" && quota ? { quota: { per: "day", records: Number(quota) } } : {}),
  };
}

export function TermsFields({ chosen, set }: { chosen: Chosen; set: (chosen: Chosen) => void }): JSX.Element {
  const put = (part: keyof Chosen) => (event: { currentTarget: HTMLSelectElement | HTMLInputElement }): void => set({ ...chosen, [part]: event.currentTarget.value });
  return (
    <>
      <div class="row">
        <label><span>{t("Licence")}</span><select value={chosen.licence} onChange={put("licence")}>{[...new Set([...LICENCES, chosen.licence])].map((one) => <option key={one} value={one}>{one}</option>)}</select></label>
        <label><span>{t("Access")}</span><select value={chosen.access} onChange={put("access")}><option value="click">{t("by agreement")}</option><option value="open">{t("open to all")}</option></select></label>
      </div>
      <label><span>{t("Source to name")}</span><input value={chosen.attribution} onInput={put("attribution")} /></label>
      {chosen.access === "click" && (
        <div class="row">
          <label><span>{t("Permitted purposes")}</span><input value={chosen.purposes} placeholder={t("any purpose")} onInput={put("purposes")} /></label>
          <label><span>{t("Records a day, at most")}</span><input inputMode="numeric" value={chosen.quota} placeholder={t("not limited")} onInput={(event) => set({ ...chosen, quota: event.currentTarget.value.replace(/\D/g, "") })} /></label>
        </div>
      )}
    </>
  );
}

/** Another version of an offer's terms. What the fields don't show stays as it is. */
export function ChangeTerms({ offer, again }: { offer: Offer; again: () => Promise<void> }): JSX.Element {
  const { purposes, quota, ...others } = offer.terms;
  const [chosen, set] = useState<Chosen>({
    licence: others.licence, attribution: others.attribution, access: others.access, purposes: purposes.includes("any") ? "" : purposes.join(", "),
    quota: quota?.per === "day" && quota.records ? String(quota.records) : "",
  });
  const [done, setDone] = useState(false);
  const kept = quota && !(quota.per === "day" && quota.records) ? { quota } : {}; // a quota of another kind
  const change = async (): Promise<void> => {
    await call("PUT", `/api/v1/offers/${offer.id}/terms`, { ...others, ...kept, ...termsOf(chosen) });
    setDone(true);
    await again();
  };
  return (
    <section aria-labelledby="terms">
      <h2 id="terms">{t("Change the terms")}</h2>
      <p>{t("For whoever accepts from now on. Agreements keep the terms that were agreed to, until they end or are renewed.")}</p>
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <TermsFields chosen={chosen} set={(next) => { setDone(false); set(next); }} />
        <div class="actions"><Act class="button second" does={change} disabled={!chosen.attribution.trim()}>{t("Publish these terms")}</Act>{done && <span role="status">{t("Version {n} of the terms holds now.", { n: offer.version })}</span>}</div>
      </form>
    </section>
  );
}
