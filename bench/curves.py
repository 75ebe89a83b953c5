"""What grew, as a table and as curves, in `docs/performance.md` and the picture beside it. The picture is plain SVG: an axis of powers of ten,
and costs beside the first step's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- growth: written by bench/growth.py -->\n", "<!-- end of growth -->"
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 300, 50, 20, 150, 40
COLOURS = ("#1f77b4", "#d95f02", "#1b9e77")
ASKED = 1.3


def written(found: Mapping[str, Any]) -> None:
    """Replace both."""
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}{table(found)}{END}{rest.partition(END)[2]}")
    (DOCS / "growth.svg").write_text(svg(found))


def table(found: Mapping[str, Any]) -> str:
    """The picture, and one row a step."""
    lines = [
        "| | times the first | µs a message | broker | keeper | Mosquitto | memory of broker, keeper, HTTP (MB) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for axis, of in found.items():
        for size, one in of["steps"].items():
            costs = " | ".join(f"{one[name]:.0f}" for name in ("us", "broker_us", "keeper_us", "mosquitto_us"))
            memory = ", ".join(str(one[f"{part}_mb"]) for part in ("broker", "keeper", "api"))
            lines.append(f"| {size:,} {axis} | {one['times_first']:.2f} | {costs} | {memory} |")
        each = ", ".join(f"{kib} KiB in the {part}" for part, kib in of["kib_each"].items())
        lines.append(
            f"| *the dearest beside the cheapest before it* | *{of['times']:.2f}* | | | | | *one more: {each}* |"
        )
    picture = "![Processor time a message, beside that of the first step of each axis](growth.svg)"
    return "\n".join([picture, "", *lines]) + "\n"


def svg(found: Mapping[str, Any]) -> str:
    """A curve an axis: how many times the first step's cost each step has."""
    top = max(2.0, *(one["times_first"] for of in found.values() for one in of["steps"].values()))
    across = max(math.log10(size) for of in found.values() for size in of["steps"]) or 1.0

    def at(size: float, times: float) -> tuple[float, float]:
        x = LEFT + math.log10(size) / across * (WIDTH - LEFT - RIGHT)
        return round(x, 1), round(HEIGHT - BOTTOM - times / top * (HEIGHT - TOP - BOTTOM), 1)

    drawn = [_axis(at, across, top), _line(at(1, ASKED), at(10**across, ASKED), "#999", 'stroke-dasharray="4 3"')]
    for number, (name, of) in enumerate(found.items()):
        points = [at(size, one["times_first"]) for size, one in of["steps"].items()]
        path = " ".join(f"{x},{y}" for x, y in points)
        colour = COLOURS[number % len(COLOURS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        drawn.append(_text(WIDTH - RIGHT + 50, TOP + 18 * number, name, colour))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    title = "<title>Processor time a message, beside that of the first step</title>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{title}\n' + "\n".join(drawn) + "\n</svg>\n"


def _axis(at: Any, across: float, top: float) -> str:  # noqa: ANN401 - a function of two numbers
    lines = [_line(at(1, 0), at(10**across, 0), "#333")]
    lines += [_text(*at(10**power, -0.12 * top), f"{10**power:,}", "#333") for power in range(int(across) + 1)]
    lines += [_text(10, at(1, times)[1] + 4, f"{times} ×", "#333") for times in range(1, int(top) + 1)]
    return "\n".join(lines)


def _line(begin: tuple[float, float], end: tuple[float, float], colour: str, more: str = "") -> str:
    return f'<line x1="{begin[0]}" y1="{begin[1]}" x2="{end[0]}" y2="{end[1]}" stroke="{colour}" {more}/>'


def _text(x: float, y: float, said: str, colour: str) -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}">{said}</text>'
