"""Every form of `assay export` opens with Hugging Face's `datasets`, and Parquet goes in and out: run by ctest, which makes the environment.

    datasets_check.py BUILD_DIR VENV_DIR
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))
import virtual_env

TRL = ("trl-sft", "trl-prompt-completion", "trl-conversational", "trl-text", "trl-prompt-only", "trl-preference", "trl-unpaired")
FORMS = (*TRL, "verl-rl", "verl-sft", "openai-chat", "sharegpt", "alpaca")
# The columns by which a trainer takes each form for what it is.
COLUMNS = {"trl-sft": {"prompt", "completion"}, "trl-prompt-completion": {"prompt", "completion"}, "trl-conversational": {"messages"},
           "trl-text": {"text"}, "trl-prompt-only": {"prompt"}, "trl-preference": {"prompt", "chosen", "rejected"},
           "trl-unpaired": {"prompt", "completion", "label"},
           "verl-rl": {"data_source", "prompt", "ability", "reward_model", "extra_info"}, "verl-sft": {"messages"},
           "openai-chat": {"messages"}, "sharegpt": {"conversations", "system"},
           "alpaca": {"instruction", "input", "output", "system", "history"}}
CHECK = """
import json, sys
import datasets
datasets.disable_progress_bars()
for line in sys.stdin:
    path, kind, wanted = json.loads(line)
    loaded = datasets.load_dataset(kind, data_files=path, split="train", cache_dir=sys.argv[1])
    print(json.dumps({"path": path, "rows": len(loaded), "missing": sorted(set(wanted) - set(loaded.column_names)),
                      "first": loaded[0]}, default=str))
"""


def rows(chat):
    for i in range(12):
        prompt = f"What is {i} + 1?"
        yield {"id": f"p{i}", "task": "math", "answer": str(i + 1), "license": "MIT", "level": i if i % 2 else None,
               "prompt": [{"role": "system", "content": "be short"}, {"role": "user", "content": prompt}] if chat else prompt,
               "completions": [f"<think>\nhm\n</think>\n\\boxed{{{i + 1}}}", f"\\boxed{{{i}}}"], "labels": [True, False]}


def main():
    build, venv = map(pathlib.Path, sys.argv[1:3])
    python = virtual_env.python_of(venv, ["datasets", "pyarrow", "zstandard"])
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM datasets cannot be installed")
        sys.exit(77)
    os.environ["ASSAY_PYARROW"] = str(python)
    wrong = []

    def assay(*words):
        done = subprocess.run([build / "assay", *map(str, words), "-q"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            wrong.append(f"assay {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        files = []
        for name in ("plain", "chat"):
            source, store = folder / f"{name}.jsonl", folder / f"{name}.sqlite"
            source.write_text("".join(json.dumps(row) + "\n" for row in rows(name == "chat")))
            assay("import", source, "--store", store, "--labels", "labels")
            assay("select", "--store", store, "--strategy", "all", "--dataset", "all")
            assay("select", "--store", store, "--strategy", "preference", "--dataset", "pairs")
            for form in FORMS:
                if form == "trl-text" and name == "chat":
                    continue
                for ending, kind in ((".jsonl", "json"), (".jsonl.gz", "json"), (".jsonl.zst", "json"), (".parquet", "parquet")):
                    path = folder / f"{name}-{form}{ending}"
                    assay("export", "--store", store, "--dataset", "pairs" if form == "trl-preference" else "all", "--format", form, "-o", path)
                    files.append((str(path), kind, sorted(COLUMNS[form])))
            # Parquet, read again, says what the lines said.
            assay("import", folder / f"{name}-trl-sft.parquet", "--store", folder / "again.sqlite", "--run", name, "--dataset", name)
            again = folder / f"{name}-again.jsonl"
            assay("export", "--store", folder / "again.sqlite", "--dataset", name, "--format", "trl-sft", "-o", again,
                  "--columns", "prompt,completion,answer,level")
            first = folder / f"{name}-first.jsonl"
            assay("export", "--store", store, "--dataset", "all", "--format", "trl-sft", "-o", first,
                  "--columns", "prompt,completion,answer,level")
            if again.exists() and first.exists() and again.read_text() != first.read_text():
                wrong.append(f"{name}: what Parquet gives back differs")
        lines = "".join(json.dumps(one) + "\n" for one in files)
        done = subprocess.run([python, "-c", CHECK, scratch + "/cache"], input=lines, capture_output=True, text=True, check=False)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        if len(results) != len(files):
            wrong.append(f"datasets stopped after {len(results)} of {len(files)} files: {done.stderr[-2000:]}")
        wrong += [f"{one['path']}: {one['rows']} rows, lacks {one['missing']}" for one in results if one["missing"] or one["rows"] < 12]
    print("\n".join(wrong) if wrong else f"{len(files)} files open with datasets, every column where trainers look for it")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
