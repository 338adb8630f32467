"""The peer of store_bench.cc: the same rows into the same kind of tables with Python's own sqlite3 module.

store_peer.py PATH SAMPLES TEXT_BYTES prints the seconds it took, wall clock and processor. Written as one would write it for speed: one transaction for
many rows, executemany, WAL, a large cache; the text hash is a unique index, as the module has no cheaper way.
"""

import hashlib
import json
import sqlite3
import sys
import time

GROUP = 8
BATCH = 65536

SCHEMA = """
PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;
PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=8000;
CREATE TABLE texts(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, bytes INTEGER NOT NULL, body NOT NULL);
CREATE TABLE problems(id INTEGER PRIMARY KEY, name TEXT NOT NULL, prompt_id INTEGER REFERENCES texts(id), answers TEXT);
CREATE TABLE rows(id INTEGER PRIMARY KEY, line INTEGER NOT NULL UNIQUE, problem_id INTEGER REFERENCES problems(id));
CREATE INDEX rows_by_problem ON rows(problem_id);
CREATE TABLE samples(id INTEGER PRIMARY KEY, row_id INTEGER NOT NULL REFERENCES rows(id),
  text_id INTEGER NOT NULL REFERENCES texts(id), finish_reason TEXT, reward REAL, advantage REAL);
CREATE TABLE verdicts(sample_id INTEGER NOT NULL REFERENCES samples(id), term INTEGER NOT NULL, label TEXT NOT NULL,
  outcome TEXT NOT NULL, score REAL NOT NULL, reason TEXT NOT NULL, detail TEXT, evidence TEXT, ms REAL,
  PRIMARY KEY(sample_id, term)) WITHOUT ROWID;
"""


def text_row(number, text):
    data = text.encode()
    return (number, hashlib.md5(data).digest(), len(data), text)


def sample_texts(first, last, size):
    for i in range(first, last):
        text = f"{i // GROUP} {i % GROUP} "
        yield (i, text + "x" * (size - len(text)))


def write(db, first, last, samples, size):
    rows = range(first // GROUP, last // GROUP)
    evidence = json.dumps({"answer": "42"})
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO texts VALUES(?,?,?,?)", (text_row(samples + r, f"What is {r}?") for r in rows))
    db.executemany("INSERT INTO problems VALUES(?,?,?,?)", ((r, f"p{r}", samples + r, '["42"]') for r in rows))
    db.executemany("INSERT INTO rows VALUES(?,?,?)", ((r, r + 1, r) for r in rows))
    db.executemany("INSERT INTO texts VALUES(?,?,?,?)", (text_row(i, text) for i, text in sample_texts(first, last, size)))
    db.executemany("INSERT INTO samples VALUES(?,?,?,?,?,?)",
                   ((i, i // GROUP, i, "stop", float(i % 2 == 0), 0.9) for i in range(first, last)))
    db.executemany("INSERT INTO verdicts VALUES(?,?,?,?,?,?,?,?,?)",
                   ((i, 0, "math", "pass" if i % 2 == 0 else "fail", float(i % 2 == 0), "ok" if i % 2 == 0 else "wrong_value",
                     None, evidence, 0.1) for i in range(first, last)))
    db.execute("COMMIT")


def main():
    path, samples, size = sys.argv[1], int(sys.argv[2]) // GROUP * GROUP, int(sys.argv[3])
    start, cpu = time.monotonic(), time.process_time()
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(SCHEMA)
    for first in range(0, samples, BATCH):
        write(db, first, min(first + BATCH, samples), samples, size)
    db.close()
    print(time.monotonic() - start, time.process_time() - cpu)


main()
