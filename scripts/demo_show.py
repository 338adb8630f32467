"""Prints the first task of an input file of `assay score` with each reply, its verdicts, reward and advantage."""

import json
import sys


def main():
    input_path, scored_path = sys.argv[1:]
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


if __name__ == "__main__":
    main()
