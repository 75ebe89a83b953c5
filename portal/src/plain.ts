/** Licences and privacy profiles in plain words. What each operator guarantees is the broker's own wording, shortened (docs/privacy.md). */
import type { Operator, Profile, Terms } from "./api";
import { duration, number } from "./format";
import { t, tn } from "./words";

export type Step = { does: string; guarantees: string };

export function steps(profile: Profile): Step[] {
  if (!profile.operators.length) return [{ does: t("Released as measured."), guarantees: t("Nothing is taken away: only what tells of no person may be offered so.") }];
  return profile.operators.map(step);
}

function step(one: Operator): Step {
  const text = (name: string): string => String(one[name]);
  switch (one.op) {
    case "round_time":
      return { does: t("Times are rounded down to {to}.", { to: duration(text("to")) }), guarantees: t("No time is told more finely than that.") };
    case "delay":
      return { does: t("Released {by} late.", { by: duration(text("by")) }), guarantees: t("Nothing is seen, live or past, before it is that old.") };
    case "sample":
      return { does: t("One record every {every}.", { every: duration(text("every")) }), guarantees: t("Of each interval at most one record leaves: the first.") };
    case "generalise_location":
      return { does: t("The place is the centre of a cell (H3, resolution {h3}).", { h3: text("h3") }), guarantees: t("All places in the cell look the same.") };
    case "suppress":
      return { does: t("Left out: {fields}.", { fields: (one["fields"] as string[]).join(", ") }), guarantees: t("These never leave the broker.") };
    case "quantise":
      return { does: t("Values are rounded to multiples of {step}.", { step: number(one["step"] as number, 6) }), guarantees: t("No value is told more finely than that.") };
    case "clip":
      return { does: t("Values are held between {min} and {max}.", { min: text("min"), max: text("max") }), guarantees: t("Extreme values can't be told apart.") };
    case "pseudonymise":
      return {
        does: t("Tags appear under names that change every {rotate}.", { rotate: duration(text("rotate")) }),
        guarantees: t("Only tags whose bearer consented, and things of the owner’s own. The names are keyed; each key is destroyed after its period."),
      };
    case "aggregate":
      return aggregate(one);
    case "noise":
      return {
        does: t("Noise is added to each window (ε = {epsilon}, at most {budget} every {per}).", { epsilon: text("epsilon"), budget: text("budget"), per: duration(text("per")) }),
        guarantees: t("Whether any one person was there changes hardly anything of what is seen: differential privacy."),
      };
    case "blur":
      return {
        does: t("Faces and number plates are covered before a picture leaves."),
        guarantees: t("The covered area keeps nothing of what was there. A detector can miss one; how often is measured and published."),
      };
    default:
      return { does: one.op, guarantees: "" };
  }
}

function aggregate(one: Operator): Step {
  const by = { cell: t("all sensors of a cell together"), read_point: t("each read point by itself"), datastream: t("each sensor by itself") }[String(one["by"])] ?? "";
  const k = one["k"] as number | undefined;
  return {
    does: t("Only windows of {window} are released ({statistics}), {by}.", { window: duration(String(one["window"])), statistics: (one["statistics"] as string[]).join(", "), by }),
    guarantees: k
      ? tn(k, "A window is released only if it counts at least one person.", "A window is released only if it counts at least {n} different people; others are withheld, as if nothing had been.")
      : t("No single record leaves."),
  };
}

export function purposes(terms: Pick<Terms, "purposes">): string {
  return terms.purposes.includes("any") ? t("any purpose") : terms.purposes.join(", ");
}

/** What a licence allows, for those that are common. */
export function licenceWords(licence: string): string {
  const known: Readonly<Record<string, string>> = {
    "CC0-1.0": t("You may use it for anything, without asking and without naming anyone."),
    "CC-BY-4.0": t("You may use, change and pass it on, also for money, if you name the source."),
    "CC-BY-SA-4.0": t("You may use, change and pass it on if you name the source and share what you make under the same licence."),
    "CC-BY-NC-4.0": t("You may use, change and pass it on if you name the source, but not for money."),
    "ODbL-1.0": t("You may use and pass it on if you name the source; databases made from it must be shared alike."),
    "etalab-2.0": t("You may use, change and pass it on, also for money, if you name the source and when it was updated."),
    MIT: t("You may use, change and pass it on, also for money, if you keep the notice of its authors."),
  };
  return known[licence] ?? t("Its text says what you may do.");
}
