"""The share of held-out problems solved over training time, printed and as a picture.

    plot_curve.py OUT.svg METRICS.jsonl..     runs that follow one another; each line with "eval/pass@1" is a point
"""

import json
import pathlib
import sys

WIDTH, HEIGHT, MARGIN = 720, 400, 48
COLOURS = ["#8a8a8a", "#2a6fbb", "#b5532a"]


def read_points(path):
    """[(step, share)] of one run."""
    rows = (json.loads(line) for line in path.read_text().splitlines())
    return [(row.get("step", 0), row["eval/pass@1"]) for row in rows if row.get("eval/pass@1") is not None]


def print_curve(name, points):
    stride = max(1, len(points) // 12)
    shown = points[::stride] + ([points[-1]] if (len(points) - 1) % stride else [])
    for step, share in shown:
        print(f"  {name:<6} step {step:>5}  {100 * share:5.1f} %  {'#' * round(40 * share)}")


def draw(runs):
    """SVG: steps of all runs one after the other on the x axis, the share on the y axis."""
    total = max(1, sum(points[-1][0] for _, points in runs))
    x = lambda step: MARGIN + (WIDTH - 2 * MARGIN) * step / total
    y = lambda share: HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tenth in range(0, 11, 2):
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(tenth / 10):.1f}" y2="{y(tenth / 10):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 8}" y="{y(tenth / 10) + 4:.1f}" text-anchor="end">{10 * tenth} %</text>')
    start = 0
    for (name, points), colour in zip(runs, COLOURS):
        line = " ".join(f"{x(start + step):.1f},{y(share):.1f}" for step, share in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x(start) + 6:.1f}" y="{MARGIN - 12}" fill="{colour}">{name}</text>')
        start += points[-1][0]
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">training steps; share of held-out problems solved</text></svg>')
    return "\n".join(parts) + "\n"


def main():
    out, *paths = map(pathlib.Path, sys.argv[1:])
    runs = [(path.parent.name, read_points(path)) for path in paths]
    runs = [(name, points) for name, points in runs if points]
    if not runs:
        sys.exit("error: no held-out evaluation in these metrics")
    for name, points in runs:
        print_curve(name, points)
    out.write_text(draw(runs))
    print(f"  picture: {out}")


if __name__ == "__main__":
    main()
