/** Attacking what an offer would show of people before it is published: what a curious reader would achieve, in plain words. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, type Profile } from "../api";
import { number } from "../format";
import { Act } from "../loading";
import { t, tn } from "../words";

type Attack = { attack: string; success: number | null; chance: number | null; raw: number | null; tried: number };
type Audited = { attacks: Attack[]; detail: string; complete: boolean };

export function Attacks({ datastreams, profile, purposes }: { datastreams: string[]; profile: Profile; purposes: string[] }): JSX.Element {
  const [found, setFound] = useState<Audited | null>(null);
  const attack = async (): Promise<void> => setFound(await call<Audited>("POST", "/api/v1/audits", { datastreams, profile, purposes, days: 7 }));
  return (
    <section class="stack" aria-labelledby="attacks">
      <h3 id="attacks">{t("Through an attacker’s eyes")}</h3>
      <p>{t("What a curious reader would make of your last seven days under this profile. It takes up to half a minute, and is on the ledger.")}</p>
      <Act class="button second" does={attack}>{t("Attack it first")}</Act>
      {found && (found.attacks.length ? <Table found={found} /> : <p class="note" role="status">{t("Nothing was attacked: there were fewer than five people to attack, or only things.")}</p>)}
    </section>
  );
}

function Table({ found }: { found: Audited }): JSX.Element {
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("What attacks achieve")}>
        <table>
          <thead><tr><th scope="col">{t("A reader who …")}</th><th scope="col" class="figure">{t("succeeds")}</th><th scope="col" class="figure">{t("by chance")}</th><th scope="col" class="figure">{t("unprotected")}</th></tr></thead>
          <tbody>
            {found.attacks.map((one) => (
              <tr key={one.attack}>
                <td>{reader(one.attack)}</td><td class="figure" title={tn(one.tried, "{n} attempt", "{n} attempts")}>{share(one.success)}</td><td class="figure">{share(one.chance)}</td><td class="figure">{share(one.raw)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note">{t("What is far above chance gives people away. A dash: fewer than five to try it on.")}{!found.complete && ` ${t("Only the newest records were attacked, since there are many.")}`}</p>
    </>
  );
}

const share = (of: number | null): string => (of === null ? "–" : `${number(100 * of, 1)} %`);

/** Who attacks, and how: the broker's own wording, shortened (broker/audit/plain.py). */
function reader(attack: string): string {
  const known = /^unicity, (\d+) known$/.exec(attack)?.[1];
  if (known) return tn(Number(known), "knows one visit of somebody, and singles them out", "knows {n} visits of somebody, and singles them out");
  switch (attack) {
    case "linking by trajectory": return t("knows where somebody goes, and finds them again later");
    case "linking by rhythm": return t("knows when somebody goes, and finds them again later");
    case "dictionary of all tags": return t("tries every tag of a maker, and learns whose a name is");
    case "two offers joined by name": return t("joins two such offers by their names");
    case "two offers joined by trajectory": return t("joins two such offers by places and hours");
    case "differencing": return t("subtracts other offers and totals, and recovers what is withheld");
    case "groups of fewer than k people, who have several tags": return t("sees a group of fewer people than it counts, since some have several tags");
    case "averaging noise away": return t("takes the mean of all draws of the noise, and has the exact count");
    case "membership inference": return t("knows somebody’s whole day, and guesses rightly whether they were counted");
    case "place averaged to 100 m": return t("averages the places that are told, and comes within 100 m of a private one");
    case "side channels": return t("compares messages and status, and tells too few from nobody");
    default: return attack;
  }
}
