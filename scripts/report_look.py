"""Looks at the page of `assay report` in headless Chromium, at two widths and in both colours: pictures into a folder, and its numbers, as they
stand on the page, against the store's by SQL. Prints one JSON line; exit 1 if a number is missing or the page is wider than its window.

    report_look.py STORE.sqlite PAGE.html --out FOLDER [--chromium chromium]
"""

import argparse
import html
import json
import pathlib
import re
import sqlite3
import subprocess
import sys

WIDTHS = (1280, 390)
COLOURS = {"light": 1, "dark": 0}  # as Blink counts them
# Written into a copy of the page: how wide it is when it is drawn, and what colour it stands on.
PROBE = """<script>addEventListener("load", () => setTimeout(() => { const e = document.createElement("meta"); e.name = "look";
e.content = JSON.stringify([document.documentElement.scrollWidth, innerWidth, getComputedStyle(document.body).backgroundColor]);
document.head.append(e); }, 500));</script>"""


def numbers_of(store):
    """What the page must say: label -> number."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
        out = {}
        for run, name in db.execute("SELECT id, name FROM runs").fetchall():
            of_run = "samples s JOIN rows rw ON rw.id = s.row_id JOIN inputs i ON i.id = rw.input_id AND i.run_id = ?"
            out[f"{name}: samples"] = db.execute(f"SELECT count(*) FROM {of_run}", (run,)).fetchone()[0]
            for label, reason, count in db.execute(
                    f"SELECT label, reason, count(*) FROM verdicts v JOIN {of_run} AND v.sample_id = s.id GROUP BY 1, 2", (run,)):
                out[f"{name}: {label} {reason}"] = count
        for name, decision, count in db.execute(
                "SELECT d.name, c.decision, c.samples FROM datasets d JOIN dataset_decisions c ON c.dataset_id = d.id"):
            out[f"{name}: {decision}"] = count
        for name, split, count in db.execute(
                "SELECT d.name, r.split, count(*) FROM datasets d JOIN dataset_rows r ON r.dataset_id = d.id WHERE r.split <> '' GROUP BY 1, 2"):
            out[f"{name}: split {split}"] = count
    return out


def shown(dom):
    """The numbers that stand in the page's text, its data and programs left out."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", dom, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    return {int(number.replace(",", "").replace("\u202f", "")) for number in re.findall(r"(?<![\d.])\d[\d,\u202f]*(?![\d.]*\d)", text)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--chromium", default="chromium")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    copy = options.out / "page.html"
    copy.write_text(options.page.read_text().replace("</head>", PROBE + "</head>", 1))
    wanted, looks, missing = numbers_of(options.store), {}, {}
    for width in WIDTHS:
        # Chromium's own window is never narrower than 500: a phone's is a frame in it.
        source = copy
        if width < 500:
            source = options.out / f"frame{width}.html"
            source.write_text(f'<body style="margin:0"><iframe src="page.html" style="width:{width}px;height:2400px;border:0"></iframe>')
        for colour, number in COLOURS.items():
            flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=4000",
                     f"--window-size={max(width, 500)},2400", f"--blink-settings=preferredColorScheme={number}"]
            picture = options.out / f"{width}-{colour}.png"
            subprocess.run([options.chromium, *flags, f"--screenshot={picture}", source.resolve().as_uri()], capture_output=True, check=True)
            if width < 500:
                continue
            dom = subprocess.run([options.chromium, *flags, "--dump-dom", source.resolve().as_uri()], capture_output=True, text=True, check=True).stdout
            look = re.search(r'<meta name="look" content="([^"]*)"', dom)
            looks[picture.stem] = json.loads(html.unescape(look[1])) if look else None
            numbers = shown(dom)
            missing |= {f"{picture.stem}: {label}": value for label, value in wanted.items() if value not in numbers}
    wide = [name for name, look in looks.items() if look is None or look[0] > look[1]]
    print(json.dumps({"numbers": len(wanted), "missing": missing, "looks": looks, "too_wide": wide}))
    sys.exit(bool(missing or wide))


if __name__ == "__main__":
    main()
