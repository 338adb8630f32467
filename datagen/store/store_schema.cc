#include "datagen/store/store_schema.h"

#include "core/check.h"
#include "core/text.h"
#include "datagen/store/store_convert.h"

namespace assay::sqlite {
namespace {

// Runs: what was scored.
constexpr char kVersion1[] = R"sql(
CREATE TABLE texts(
  id INTEGER PRIMARY KEY,
  bytes INTEGER NOT NULL,
  body NOT NULL);
CREATE TABLE text_hashes(
  high INTEGER NOT NULL,
  low INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY(high, low)) WITHOUT ROWID;
CREATE TABLE problem_hashes(
  high INTEGER NOT NULL,
  low INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY(high, low)) WITHOUT ROWID;
CREATE TABLE problems(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  task TEXT NOT NULL,
  prompt_id INTEGER REFERENCES texts(id),
  messages TEXT,
  answers TEXT,
  verification_info TEXT);
CREATE TABLE runs(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  rubric TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  seed TEXT NOT NULL,
  created TEXT,
  finished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE inputs(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  file TEXT NOT NULL,
  rows_done INTEGER NOT NULL,
  last_line INTEGER NOT NULL,
  UNIQUE(run_id, file));
CREATE TABLE rows(
  id INTEGER PRIMARY KEY,
  input_id INTEGER NOT NULL REFERENCES inputs(id),
  line INTEGER NOT NULL,
  line_hash BLOB NOT NULL,
  problem_id INTEGER REFERENCES problems(id),
  flat INTEGER NOT NULL,
  first_sample INTEGER,
  sample_count INTEGER NOT NULL,
  options TEXT,
  extra TEXT,
  error TEXT,
  UNIQUE(input_id, line));
CREATE INDEX rows_by_problem ON rows(problem_id);
CREATE TABLE samples(
  id INTEGER PRIMARY KEY,
  row_id INTEGER NOT NULL REFERENCES rows(id),
  text_id INTEGER NOT NULL REFERENCES texts(id),
  finish_reason TEXT,
  model TEXT,
  seed INTEGER,
  token_ids TEXT,
  logprobs TEXT,
  reward REAL,
  advantage REAL);
CREATE TABLE verdicts(
  sample_id INTEGER NOT NULL REFERENCES samples(id),
  term INTEGER NOT NULL,
  label TEXT NOT NULL,
  outcome TEXT NOT NULL,
  score REAL NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT,
  evidence TEXT,
  ms REAL,
  PRIMARY KEY(sample_id, term)) WITHOUT ROWID;
)sql";

// Data sets: what was selected from runs.
constexpr char kVersion2[] = R"sql(
CREATE TABLE datasets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  strategy TEXT NOT NULL,
  params TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  run_id INTEGER REFERENCES runs(id),
  created TEXT);
CREATE TABLE dataset_rows(
  dataset_id INTEGER NOT NULL REFERENCES datasets(id),
  position INTEGER NOT NULL,
  sample_id INTEGER NOT NULL REFERENCES samples(id),
  decision TEXT NOT NULL,
  PRIMARY KEY(dataset_id, position)) WITHOUT ROWID;
CREATE INDEX dataset_rows_by_sample ON dataset_rows(sample_id);
CREATE TABLE dataset_decisions(
  dataset_id INTEGER NOT NULL REFERENCES datasets(id),
  place INTEGER NOT NULL,
  decision TEXT NOT NULL,
  samples INTEGER NOT NULL,
  PRIMARY KEY(dataset_id, place)) WITHOUT ROWID;
CREATE VIEW provenance AS
  SELECT d.name AS dataset, dr.position AS position, dr.decision AS decision,
         d.strategy AS strategy, d.params AS params, d.tool_version AS selected_by,
         r.name AS run, r.rubric AS rubric, r.config_hash AS config_hash, r.tool_version AS scored_by,
         i.file AS file, rw.line AS line, hex(rw.line_hash) AS line_hash,
         p.id AS problem_id, p.name AS problem, s.id AS sample_id, s.id - rw.first_sample AS sample_index,
         s.reward AS reward, s.advantage AS advantage, t.body AS text,
         (SELECT json_group_array(json_object('label', v.label, 'outcome', v.outcome, 'score', v.score,
                                              'reason', v.reason, 'detail', v.detail,
                                              'evidence', json(v.evidence)))
            FROM verdicts v WHERE v.sample_id = s.id) AS verdicts
    FROM dataset_rows dr
    JOIN datasets d ON d.id = dr.dataset_id
    JOIN samples s ON s.id = dr.sample_id
    JOIN texts t ON t.id = s.text_id
    JOIN rows rw ON rw.id = s.row_id
    JOIN problems p ON p.id = rw.problem_id
    JOIN inputs i ON i.id = rw.input_id
    JOIN runs r ON r.id = i.run_id;
)sql";

// What chat messages and lines of a group say beside their text; ids that are numbers.
constexpr char kVersion3[] = R"sql(
ALTER TABLE samples ADD COLUMN messages TEXT;
ALTER TABLE samples ADD COLUMN line TEXT;
ALTER TABLE rows ADD COLUMN id_is_number INTEGER NOT NULL DEFAULT 0;
)sql";

// Why every sample that was not taken was not; pairs; splits; data sets of several runs; what left the store.
constexpr char kVersion4[] = R"sql(
ALTER TABLE dataset_rows ADD COLUMN rejected_id INTEGER REFERENCES samples(id);
ALTER TABLE dataset_rows ADD COLUMN split TEXT;
CREATE TABLE dataset_runs(
  dataset_id INTEGER NOT NULL REFERENCES datasets(id),
  place INTEGER NOT NULL,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  PRIMARY KEY(dataset_id, place)) WITHOUT ROWID;
INSERT INTO dataset_runs SELECT id, 0, run_id FROM datasets WHERE run_id IS NOT NULL;
CREATE TABLE dataset_drops(
  dataset_id INTEGER NOT NULL REFERENCES datasets(id),
  sample_id INTEGER NOT NULL REFERENCES samples(id),
  place INTEGER NOT NULL,
  detail TEXT,
  PRIMARY KEY(dataset_id, sample_id)) WITHOUT ROWID;
CREATE TABLE exports(
  id INTEGER PRIMARY KEY,
  dataset_id INTEGER NOT NULL REFERENCES datasets(id),
  file TEXT NOT NULL,
  format TEXT NOT NULL,
  params TEXT NOT NULL,
  lines INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  hash TEXT NOT NULL,
  tool_version TEXT NOT NULL);
CREATE VIEW decisions AS
  SELECT d.name AS dataset, dr.sample_id AS sample_id, 'kept' AS decision, dr.decision AS detail
    FROM dataset_rows dr JOIN datasets d ON d.id = dr.dataset_id
  UNION ALL
  SELECT d.name, dd.sample_id, dc.decision, dd.detail
    FROM dataset_drops dd
    JOIN dataset_decisions dc ON dc.dataset_id = dd.dataset_id AND dc.place = dd.place
    JOIN datasets d ON d.id = dd.dataset_id;
)sql";

// What each term brought to the reward; null: left out, or scored before this was kept.
constexpr char kVersion5[] = R"sql(
ALTER TABLE verdicts ADD COLUMN part REAL;
)sql";

// The view `provenance` with the parts. Version 7 makes it once more, over its own tables.
constexpr char kVersion6[] = R"sql(
DROP VIEW IF EXISTS provenance;
CREATE VIEW provenance AS
  SELECT d.name AS dataset, dr.position AS position, dr.decision AS decision,
         d.strategy AS strategy, d.params AS params, d.tool_version AS selected_by,
         r.name AS run, r.rubric AS rubric, r.config_hash AS config_hash, r.tool_version AS scored_by,
         i.file AS file, rw.line AS line, hex(rw.line_hash) AS line_hash,
         p.id AS problem_id, p.name AS problem, s.id AS sample_id, s.id - rw.first_sample AS sample_index,
         s.reward AS reward, s.advantage AS advantage, t.body AS text,
         (SELECT json_group_array(json_object('label', v.label, 'outcome', v.outcome, 'score', v.score,
                                              'reason', v.reason, 'detail', v.detail,
                                              'evidence', json(v.evidence), 'part', v.part))
            FROM verdicts v WHERE v.sample_id = s.id) AS verdicts
    FROM dataset_rows dr
    JOIN datasets d ON d.id = dr.dataset_id
    JOIN samples s ON s.id = dr.sample_id
    JOIN texts t ON t.id = s.text_id
    JOIN rows rw ON rw.id = s.row_id
    JOIN problems p ON p.id = rw.problem_id
    JOIN inputs i ON i.id = rw.input_id
    JOIN runs r ON r.id = i.run_id;
)sql";

// What a run writes with few inserts: a row's id says its input and line, hashes stand in chunks, the verdicts of a sample beside it.
// ConvertToVersion7 fills the new columns and chunks before the old ones go.
constexpr char kVersion7[] = R"sql(
DROP VIEW provenance;
ALTER TABLE samples ADD COLUMN verdicts TEXT;
UPDATE samples SET row_id = (SELECT (r.input_id << 32) | r.line FROM rows r WHERE r.id = samples.row_id);
CREATE TABLE new_rows(
  id INTEGER PRIMARY KEY,
  input_id INTEGER NOT NULL REFERENCES inputs(id),
  line INTEGER NOT NULL,
  line_hash BLOB NOT NULL,
  problem_id INTEGER REFERENCES problems(id),
  flat INTEGER NOT NULL,
  first_sample INTEGER,
  sample_count INTEGER NOT NULL,
  options TEXT,
  extra TEXT,
  error TEXT,
  id_is_number INTEGER NOT NULL DEFAULT 0);
INSERT INTO new_rows
  SELECT (input_id << 32) | line, input_id, line, line_hash, problem_id, flat, first_sample, sample_count, options, extra, error,
         id_is_number
    FROM rows ORDER BY input_id, line;
DROP TABLE rows;
ALTER TABLE new_rows RENAME TO rows;
CREATE TABLE new_text_hashes(
  chunk INTEGER PRIMARY KEY,
  hashes BLOB NOT NULL);
CREATE TABLE new_problem_hashes(
  chunk INTEGER PRIMARY KEY,
  hashes BLOB NOT NULL);
)sql";

constexpr char kVersion7End[] = R"sql(
DROP TABLE text_hashes;
DROP TABLE problem_hashes;
DROP TABLE verdicts;
ALTER TABLE new_text_hashes RENAME TO text_hashes;
ALTER TABLE new_problem_hashes RENAME TO problem_hashes;
CREATE VIEW verdicts AS
  SELECT s.id AS sample_id, v.key AS term, json_extract(v.value, '$[0]') AS label,
         json_extract(v.value, '$[1]') AS outcome, json_extract(v.value, '$[2]') AS score,
         json_extract(v.value, '$[3]') AS reason, json_extract(v.value, '$[4]') AS detail,
         json_extract(v.value, '$[5]') AS evidence, json_extract(v.value, '$[6]') AS ms,
         json_extract(v.value, '$[7]') AS part
    FROM samples s, json_each(s.verdicts) v;
)sql";

Status TakeStep(Database* db, int version) {
  if (Status status = db->Exec(MigrationSql(version)); !status.ok()) return status;
  if (version != 6) return {};
  if (Status status = ConvertToVersion7(db); !status.ok()) return status;
  if (Status status = db->Exec(kVersion7End); !status.ok()) return status;
  return db->Exec(kVersion6);
}

Status MigrateUnlooked(Database* db, int from) {
  if (Status status = db->Exec("BEGIN IMMEDIATE"); !status.ok()) return status;
  // Another process may have migrated the file while this one waited for the lock.
  Result<int64_t> version = db->QueryInt("PRAGMA user_version");
  Status status = version.ok() ? Status() : Status(version.error());
  for (int64_t step = version.ok() ? *version : from; status.ok() && step < kSchemaVersion;
       ++step) {
    status = TakeStep(db, static_cast<int>(step));
  }
  if (status.ok())
    status = db->Exec(
        StrCat("PRAGMA user_version=", kSchemaVersion, ";PRAGMA application_id=", kApplicationId));
  if (status.ok()) status = db->Exec("COMMIT");
  if (!status.ok() && db->InTransaction()) (void)db->Exec("ROLLBACK");
  return status;
}

// A table that is made anew under its old name must not take along what refers to it.
Status Migrate(Database* db, int from) {
  if (Status status = db->Exec("PRAGMA foreign_keys=OFF"); !status.ok()) return status;
  const Status status = MigrateUnlooked(db, from);
  const Status looks = db->Exec("PRAGMA foreign_keys=ON");
  return status.ok() ? looks : status;
}

}  // namespace

const char* MigrationSql(int version) {
  static constexpr const char* kSteps[kSchemaVersion] = {kVersion1, kVersion2, kVersion3, kVersion4,
                                                         kVersion5, kVersion6, kVersion7};
  ASSAY_CHECK(version >= 0 && version < kSchemaVersion);
  return kSteps[version];
}

Status PrepareSchema(Database* db, bool writable, bool create) {
  Result<int64_t> objects = db->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.error();
  Result<int64_t> application = db->QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.error();
  Result<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.error();
  bool is_new = *objects == 0 && *application == 0 && *version == 0;
  if (*application != kApplicationId && !is_new) {
    return Error{ErrorCode::kInput,
                 StrCat("'", db->path(), "' is a SQLite database, but not an Assay store"),
                 "name a store written by assay, or a new file"};
  }
  if (is_new && !create) {
    return Error{ErrorCode::kInput, StrCat("store '", db->path(), "' is empty"),
                 "`assay score --store FILE --run NAME` fills one"};
  }
  if (*version > kSchemaVersion) {
    return Error{ErrorCode::kInput,
                 StrCat("store '", db->path(), "' has schema version ", *version,
                        "; this assay knows versions up to ", kSchemaVersion),
                 "use the assay that wrote it, or a newer one"};
  }
  if (*version == kSchemaVersion) return {};
  if (!writable) {
    return Error{ErrorCode::kInput,
                 StrCat("store '", db->path(), "' has the older schema version ", *version,
                        " and was opened for reading"),
                 "`assay store gc --store FILE` brings it up to date, as any command does that "
                 "writes to it"};
  }
  return Migrate(db, static_cast<int>(*version));
}

}  // namespace assay::sqlite
