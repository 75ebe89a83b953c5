/** In how much detail an offer shows its sensors: what an owner chooses, as fields, and as the operators that the broker applies. */
import type { JSX } from "preact";
import type { Operator } from "../api";
import { t } from "../words";
import { Masks, polygon, type Area } from "./masks";
import type { Datastream } from "./owner";

export type Detail = { time: string; place: string; delay: string; step: string; people: string; together: string; epsilon: string; budget: string; level: string; areas: readonly Area[] };
export const AS_MEASURED: Detail = { time: "", place: "", delay: "", step: "", people: "aggregate", together: "", epsilon: "", budget: "", level: "normal", areas: [] };

const COUNTED = "PT15M"; // of people, where no other window is chosen
const CELL = 8; // neighbourhoods, where sensors are taken together and no cell is chosen
const WINDOWS_A_DAY: Readonly<Record<string, number>> = { PT5M: 288, PT15M: 96, PT1H: 24 };

/** The operators of what was chosen, in an order in which they apply. */
export function operatorsOf(detail: Detail, kind: Datastream["kind"], personal: boolean): Operator[] {
  if (kind === "camera") return [{ op: "blur", faces: true, plates: true, ...(detail.level === "normal" ? {} : { level: detail.level }), ...(detail.areas.length ? { masks: detail.areas.map(polygon) } : {}) }];
  const made: Operator[] = placed(detail, personal);
  if (personal && detail.people === "pseudonymise") return [...made, ...late(detail), { op: "pseudonymise", rotate: "P1D" }];
  if (personal) return [...made, windows(detail, ["count"], { k: 5 }), ...noise(detail)];
  if (detail.step) made.push({ op: "quantise", step: Number(detail.step) });
  made.push(...late(detail));
  const [how, every = ""] = detail.time.split(":");
  if (how === "sample") made.push({ op: "sample", every });
  if (how === "mean") made.push(windows(detail, kind === "measurement" && !detail.epsilon ? ["mean", "max", "count"] : ["count"]), ...noise(detail));
  return made;
}

/** Whether what is chosen is released in windows. */
const inWindows = (detail: Detail, personal: boolean): boolean => (personal ? detail.people === "aggregate" : detail.time.startsWith("mean:"));
const windowOf = ({ time }: Detail): string => (time.startsWith("mean:") ? time.slice(5) : COUNTED);
const late = ({ delay }: Detail): Operator[] => (delay ? [{ op: "delay", by: delay }] : []);

function placed(detail: Detail, personal: boolean): Operator[] {
  if (detail.together === "cell" && inWindows(detail, personal)) return [{ op: "generalise_location", h3: Number(detail.place) || CELL }];
  if (detail.place === "hidden") return [{ op: "suppress", fields: ["location"] }];
  return detail.place ? [{ op: "generalise_location", h3: Number(detail.place) }] : [];
}

const windows = (detail: Detail, statistics: string[], more: object = {}): Operator => ({ op: "aggregate", window: windowOf(detail), statistics, by: detail.together || "datastream", ...more });

function noise(detail: Detail): Operator[] {
  const epsilon = Number(detail.epsilon);
  return epsilon ? [{ op: "noise", epsilon, budget: Number(detail.budget) || wholeDay(detail), per: "P1D" }] : [];
}

/** What a day of windows costs. */
const wholeDay = (detail: Detail): number => Number(detail.epsilon) * (WINDOWS_A_DAY[windowOf(detail)] ?? 1);

type Properties = { detail: Detail; set: (detail: Detail) => void; kind: Datastream["kind"]; personal: boolean };

export function DetailFields({ detail, set, kind, personal }: Properties): JSX.Element {
  const put = (part: keyof Detail) => (event: { currentTarget: HTMLSelectElement | HTMLInputElement }): void => set({ ...detail, [part]: event.currentTarget.value });
  if (kind === "camera") return <CameraFields detail={detail} set={set} />;
  return (
    <>
      {personal && <label><span>{t("It tells of people")}</span><select value={detail.people} onChange={put("people")}><option value="aggregate">{t("Counts of at least five people")}</option><option value="pseudonymise">{t("Changing names, of whoever consented")}</option></select></label>}
      <div class="row">
        <label><span>{t("Time")}</span><select value={detail.time} onChange={put("time")}><option value="">{personal ? t("15 minutes") : t("every reading")}</option>{!personal && <option value="sample:PT1M">{t("one reading a minute")}</option>}<option value="mean:PT5M">{t("windows of 5 minutes")}</option><option value="mean:PT1H">{t("windows of an hour")}</option></select></label>
        <label><span>{t("Place")}</span><select value={detail.place} onChange={put("place")}><option value="">{t("exact")}</option><option value="8">{t("neighbourhood, 0.7 km²")}</option><option value="7">{t("district, 5 km²")}</option><option value="hidden">{t("not told")}</option></select></label>
      </div>
      {!personal && (
        <div class="row">
          <label><span>{t("Delay")}</span><select value={detail.delay} onChange={put("delay")}><option value="">{t("none")}</option><option value="PT1H">{t("an hour")}</option><option value="P1D">{t("a day")}</option></select></label>
          <label><span>{t("Values to the nearest")}</span><input inputMode="decimal" value={detail.step} placeholder={t("exact")} onInput={put("step")} /></label>
        </div>
      )}
      {inWindows(detail, personal) && <WindowFields detail={detail} set={set} kind={kind} personal={personal} />}
    </>
  );
}

/** Of windows: what is counted together, and whether noise is added. */
function WindowFields({ detail, set, kind }: Properties): JSX.Element {
  return (
    <>
      <label><span>{t("Counted together")}</span>
        <select value={detail.together} onChange={(event) => set({ ...detail, together: event.currentTarget.value })}>
          <option value="">{t("each sensor by itself")}</option><option value="cell">{t("all sensors of a cell together")}</option>{kind === "rfid" && <option value="read_point">{t("each read point by itself")}</option>}
        </select>
      </label>
      <div class="row">
        <label><span>{t("Noise")}</span>
          <select value={detail.epsilon} onChange={(event) => set({ ...detail, epsilon: event.currentTarget.value, budget: "" })}>
            <option value="">{t("none")}</option><option value="1">{t("little, ε = 1 a window")}</option><option value="0.1">{t("much, ε = 0.1 a window")}</option>
          </select>
          <span class="hint">{kind === "measurement" ? t("For counts: with noise, only how many readings there were is told.") : t("For counts: what one person adds drowns in it.")}</span>
        </label>
        {detail.epsilon && <label><span>{t("At most a day, ε")}</span><input inputMode="decimal" value={detail.budget} placeholder={String(wholeDay(detail))} onInput={(event) => set({ ...detail, budget: event.currentTarget.value })} /><span class="hint">{t("Then nothing more is released until the next day.")}</span></label>}
      </div>
    </>
  );
}

function CameraFields({ detail, set }: Pick<Properties, "detail" | "set">): JSX.Element {
  return (
    <>
      <p>{t("Of a camera, pictures with faces and number plates covered.")}</p>
      <label><span>{t("How thoroughly it is looked")}</span><select value={detail.level} onChange={(event) => set({ ...detail, level: event.currentTarget.value })}><option value="fast">{t("fast")}</option><option value="normal">{t("normal")}</option><option value="thorough">{t("thorough")}</option></select></label>
      <Masks areas={detail.areas} set={(areas) => set({ ...detail, areas })} />
    </>
  );
}
