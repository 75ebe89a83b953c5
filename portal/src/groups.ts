/**
 * Spots near each other as one: what twenty thousand sensors look like from afar. Pure.
 *
 * It takes a few milliseconds for all of them at one zoom, so that the map gets only the few hundred marks that are in view: handing it every
 * spot again after each filter took its worker, and the page beside it, longer than anyone waits.
 */
export type Place = readonly [longitude: number, latitude: number];
export type Box = readonly [west: number, south: number, east: number, north: number];
export type Group = { place: [number, number]; members: readonly number[] };

const WORLD_PX = 512; // as wide as MapLibre draws it at zoom 0
const RADIUS_PX = 44; // two marks of one are 28 to 72 px wide
const NEAR = 0.8; // neighbours in the grid closer than this share of it are one mark, or a border would split a crowd

/** Around the mean of its points. */
type Crowd = { x: number; y: number; members: number[] };
/** The cells of a square grid over the world that hold something, by their number: row by row, so many to a row. */
type Grid = { held: Map<number, Crowd>; width: number };

/** Prepared once for some places; asked at each zoom for those within a box. From `apart` on each is a group of its own. */
export function grouping(places: readonly Place[], apart: number): (zoom: number, within: Box) => Group[] {
  const points = places.map(project);
  return (zoom, within) => {
    const seen = [...places.keys()].filter((i) => holds(within, places[i]!));
    const level = Math.floor(zoom);
    if (level >= apart) return seen.map((i) => ({ place: [...places[i]!], members: [i] }));
    const cells = (WORLD_PX * 2 ** level) / RADIUS_PX;
    return merged(gridded(points, seen, cells), NEAR / cells).map(({ x, y, members }) => ({ place: unproject(x, y), members }));
  };
}

const holds = ([west, south, east, north]: Box, [x, y]: Place): boolean => x > west && x < east && y > south && y < north;

/** The smallest box around some places; there is at least one. */
export function around(places: readonly Place[]): [number, number, number, number] {
  const [first, ...others] = places;
  return others.reduce<[number, number, number, number]>(
    ([w, s, e, n], [x, y]) => [Math.min(w, x), Math.min(s, y), Math.max(e, x), Math.max(n, y)],
    [first![0], first![1], first![0], first![1]],
  );
}

function gridded(points: readonly Place[], seen: readonly number[], cells: number): Grid {
  const held = new Map<number, Crowd>();
  const width = Math.ceil(cells) + 2; // a cell more on each side, so that each has neighbours
  for (const i of seen) {
    const [x, y] = points[i]!;
    const cell = (Math.floor(y * cells) + 1) * width + Math.floor(x * cells) + 1;
    const crowd = held.get(cell);
    if (crowd === undefined) held.set(cell, { x, y, members: [i] });
    else {
      crowd.members.push(i);
      crowd.x += (x - crowd.x) / crowd.members.length;
      crowd.y += (y - crowd.y) / crowd.members.length;
    }
  }
  return { held, width };
}

/** The fuller ones take in what lies in the cells next to them, and near. */
function merged({ held, width }: Grid, near: number): Crowd[] {
  const around = [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1];
  for (const [cell, crowd] of [...held].sort((a, b) => b[1].members.length - a[1].members.length)) {
    if (held.get(cell) !== crowd) continue; // another has it
    for (const step of around) {
      const other = held.get(cell + step);
      if (other === undefined || Math.hypot(other.x - crowd.x, other.y - crowd.y) > near) continue;
      held.delete(cell + step);
      const share = other.members.length / (crowd.members.length + other.members.length);
      crowd.x += (other.x - crowd.x) * share;
      crowd.y += (other.y - crowd.y) * share;
      crowd.members = crowd.members.concat(other.members);
    }
  }
  return [...held.values()];
}

/** Web Mercator, the world from 0 to 1 (EPSG:3857). */
function project([longitude, latitude]: Place): Place {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

function unproject(x: number, y: number): [number, number] {
  return [(x - 0.5) * 360, (360 / Math.PI) * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - 90];
}
