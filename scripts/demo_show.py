"""Prints parts of the demo for people.

    demo_show.py replies INPUT SCORED    the first task of an input of `assay score` with each reply and its verdicts
    demo_show.py summary < STATS         `assay stats --output-format json` in a few lines
"""

import json
import sys


def show_replies(input_path, scored_path):
    with open(input_path, encoding="utf-8") as rows, open(scored_path, encoding="utf-8") as scored:
        row, score = json.loads(next(rows)), json.loads(next(scored))
    print(f"  {row['prompt']}")
    for index, reply in enumerate(row["completions"]):
        print(f"\n  reply {index + 1}: reward {score['rewards'][index]}, advantage {score['advantages'][index]:+.3f}")
        for name, verdict in score["verdicts"][index].items():
            detail = f": {verdict['detail']}" if verdict["detail"] else ""
            print(f"    {name}: {verdict['outcome']} ({verdict['reason']}){detail}")
        body = reply.rsplit("</think>", 1)[-1].strip().splitlines()
        print("\n".join(f"      | {line}" for line in body if not line.startswith("```")))


def show_summary(stats):
    for run in stats["runs"]:
        terms = ", ".join(f"{name} {100 * term['pass'] / max(1, run['samples']):.0f} %" for name, term in run["terms"].items())
        print(f"  run {run['run']:<5} {run['problems']:>3} problems, {run['samples']:>4} replies; passed: {terms}; "
              f"mean reward {run['reward']['mean']:.2f}")
    for data in stats["datasets"]:
        print(f"  data set {data['dataset']:<9} {data['samples']:>3} replies kept for {data['problems']} problems ({data['strategy']})")


def main():
    if sys.argv[1:2] == ["summary"]:
        show_summary(json.load(sys.stdin))
    else:
        show_replies(*sys.argv[2:])


if __name__ == "__main__":
    main()
