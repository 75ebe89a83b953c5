/** Entries of the public record as sentences. */
import type { Entry } from "./api";
import { t } from "./words";

const SENTENCES: Readonly<Record<string, (e: Readonly<Record<string, string>>) => string>> = {
  organisation_registered: (e) => t("{organisation} joined.", e),
  organisation_removed: (e) => t("{organisation} left.", e),
  organisation_described: (e) => t("{organisation} described itself anew.", e),
  organisation_suspended: (e) => t("The operator suspended {organisation}.", e),
  organisation_resumed: (e) => t("The operator let {organisation} go on.", e),
  offer_published: (e) => t("{organisation} published the offer {offer}.", e),
  offer_withdrawn: (e) => t("The offer {offer} was withdrawn.", e),
  offer_changed: (e) => t("The offer {offer} changed.", e),
  offer_expired: (e) => t("The offer {offer} ended by itself.", e),
  terms_changed: (e) => t("The offer {offer} has new terms.", e),
  agreement_accepted: (e) => t("{application} accepted the offer {offer} for “{purpose}”.", e),
  agreement_requested: (e) => t("{application} asked for the offer {offer} for “{purpose}”.", e),
  agreement_refused: (e) => t("{application} was refused the offer {offer} for “{purpose}”.", e),
  agreement_granted: (e) => t("{application} was granted the offer {offer}.", e),
  agreement_renewed: (e) => t("The agreement {agreement} was renewed.", e),
  agreement_revoked: (e) => t("The agreement {agreement} was revoked.", e),
  agreement_suspended: (e) => t("The agreement {agreement} was suspended.", e),
  agreement_resumed: (e) => t("The agreement {agreement} goes on.", e),
  agreement_expired: (e) => t("The agreement {agreement} ended by itself.", e),
  request_opened: (e) => t("{by} asked {of} for data.", e),
  request_answered: (e) => t("The request {request} was answered: {outcome}.", e),
  request_removed: (e) => t("The request {request} was taken back.", e),
  dispute_opened: (e) => t("{by} complained of {against}.", e),
  dispute_ruled: (e) => t("The operator ruled on the dispute {dispute}.", e),
  finding_published: (e) => t("{application} published what it learned.", e),
  charge_stated: (e) => t("A cost of {amount} {currency} was stated for the agreement {agreement}.", e),
  text_erased: (e) => t("The text “{field}” of an entry was erased.", e),
  personal_data_previewed: (e) => t("{organisation} looked at a preview of personal data.", e),
  operator_key_changed: () => t("The operator’s key changed."),
  ledger_key_announced: () => t("The key that signs the ledger was announced."),
  key_added: () => t("The operator made a key for somebody."),
  key_revoked: () => t("A key was revoked."),
};

export function sentence(entry: Entry, names: ReadonlyMap<string, string>): string {
  const facts = Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, typeof value === "string" ? (names.get(value) ?? value) : String(value)]));
  return SENTENCES[entry.event]?.(facts) ?? entry.event.replaceAll("_", " ");
}

/** The names, and with them those of offers as these entries tell of them: what they are called and whose they are. */
export function withOffers(names: ReadonlyMap<string, string>, entries: readonly Entry[]): ReadonlyMap<string, string> {
  const more = new Map(names);
  for (const { event, offer, organisation, profile } of entries) {
    if (event === "offer_published" && typeof offer === "string" && typeof profile === "string") {
      more.set(offer, t("“{profile}” of {organisation}", { profile, organisation: names.get(String(organisation)) ?? String(organisation) }));
    }
  }
  return more;
}

/** What somebody wrote with it, if it still stands. */
export function said(entry: Entry): string {
  return ["reason", "criterion", "wish", "statement", "text", "reasons", "title"].map((name) => entry[name]).filter((one): one is string => typeof one === "string").join(" · ");
}
