/** Parts of a camera's picture that are always covered, such as a window: rectangles, drawn on a frame or typed. */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { t } from "../words";

/** In hundredths of the picture's width and height. */
export type Area = { left: number; top: number; width: number; height: number };

const MOST = 16; // that the broker takes
const FIRST: Area = { left: 0, top: 0, width: 30, height: 30 };

/** Its corners in shares of the picture, as `blur` takes them. */
export function polygon({ left, top, width, height }: Area): [number, number][] {
  const [right, bottom] = [Math.min(100, left + width), Math.min(100, top + height)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]].map(([x, y]) => [x! / 100, y! / 100]);
}

export function Masks({ areas, set }: { areas: readonly Area[]; set: (areas: readonly Area[]) => void }): JSX.Element {
  const change = (at: number, part: keyof Area, value: string): void => set(areas.map((one, i) => (i === at ? { ...one, [part]: Math.min(100, Math.max(0, Number(value) || 0)) } : one)));
  const names: [keyof Area, string][] = [["left", t("from the left")], ["top", t("from the top")], ["width", t("wide")], ["height", t("high")]];
  return (
    <fieldset class="masks">
      <legend>{t("Always covered")}</legend>
      <Frame areas={areas} add={(one) => set([...areas, one])} />
      {areas.map((area, at) => (
        <div class="row mask" key={at} role="group" aria-label={t("Area {n}", { n: at + 1 })}>
          {names.map(([part, name]) => <label key={part}><span>{name}, %</span><input type="number" min={0} max={100} value={area[part]} onInput={(event) => change(at, part, event.currentTarget.value)} /></label>)}
          <button type="button" class="quiet-button" onClick={() => set(areas.filter((_, i) => i !== at))}>{t("Take away")}</button>
        </div>
      ))}
      {areas.length < MOST && <div class="actions"><button type="button" class="button second" onClick={() => set([...areas, FIRST])}>{t("Cover an area")}</button><span class="note">{t("Or draw it on the frame.")}</span></div>}
    </fieldset>
  );
}

/** The picture’s frame with what is covered of it: a new area is drawn with the pointer. */
function Frame({ areas, add }: { areas: readonly Area[]; add: (area: Area) => void }): JSX.Element {
  const at = useRef<SVGSVGElement>(null);
  const [drawing, draw] = useState<{ x: number; y: number; area: Area } | null>(null);
  const share = (event: PointerEvent): { x: number; y: number } => {
    const { left, top, width, height } = at.current!.getBoundingClientRect();
    const within = (value: number): number => Math.round(Math.min(100, Math.max(0, value)));
    return { x: within((100 * (event.clientX - left)) / width), y: within((100 * (event.clientY - top)) / height) };
  };
  const begin = (event: PointerEvent): void => {
    at.current!.setPointerCapture(event.pointerId);
    const { x, y } = share(event);
    draw({ x, y, area: { left: x, top: y, width: 0, height: 0 } });
  };
  const go = (event: PointerEvent): void => {
    if (!drawing) return;
    const { x, y } = share(event);
    draw({ ...drawing, area: { left: Math.min(x, drawing.x), top: Math.min(y, drawing.y), width: Math.abs(x - drawing.x), height: Math.abs(y - drawing.y) } });
  };
  const end = (): void => {
    if (drawing && drawing.area.width > 1 && drawing.area.height > 1 && areas.length < MOST) add(drawing.area);
    draw(null);
  };
  return (
    <svg ref={at} class="frame-of-picture" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label={t("The picture, and what of it is always covered")} onPointerDown={begin} onPointerMove={go} onPointerUp={end}>
      {[...areas, ...(drawing ? [drawing.area] : [])].map((one, i) => <rect key={i} x={one.left} y={one.top} width={one.width} height={one.height} />)}
    </svg>
  );
}
