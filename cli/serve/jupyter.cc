// SandboxFusion's /run_jupyter: cells of a notebook, run in order in one process. The driver here is a script of ours in the program's own
// box, not a Jupyter kernel: what a cell prints, the value of its last expression and what it raises are there; magics and rich displays
// are not. Its record is the program's own word, as the original's is.
#include <memory>
#include <utility>

#include "cli/serve/fields.h"
#include "cli/serve/fusion_stage.h"
#include "cli/serve/routes.h"
#include "cli/serve/run_request.h"
#include "cli/serve/schemas.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr char kCellsFile[] = ".cells.json";
constexpr char kRecordFile[] = ".record.json";
// Runs the cells in __main__'s own names, and writes the record when all have run: cells of a notebook that did not end are not handed back.
constexpr char kDriver[] = R"(
def run_cells():
    import ast, io, json, linecache, os, signal, sys, traceback
    with open(".cells.json", encoding="utf-8") as file:
        given = json.load(file)
    names = sys.modules["__main__"].__dict__
    names.pop("run_cells", None)

    class CellTimeout(Exception):
        pass

    def late(*_):
        raise CellTimeout("the cell ran over its time")

    def run(text, number):
        name = f"<cell {number}>"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        tree, last = ast.parse(text, name), None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, name, "exec"), names)
        return eval(compile(last, name, "eval"), names) if last is not None else None

    streams, record = (sys.stdout, sys.stderr), []
    for number, text in enumerate(given["cells"], 1):
        cell = {"stdout": "", "stderr": "", "display": [], "error": []}
        sys.stdout, sys.stderr = out, err = io.StringIO(), io.StringIO()
        try:
            if given["seconds"] > 0:
                signal.signal(signal.SIGALRM, late)
                signal.setitimer(signal.ITIMER_REAL, given["seconds"])
            value = run(text, number)
            if value is not None:
                cell["display"].append({"text/plain": repr(value)[:1 << 20]})
        except BaseException as error:
            lines = traceback.format_exception(error)
            cell["error"].append({"ename": type(error).__name__, "evalue": str(error)[:1 << 20], "traceback": lines[-100:]})
        finally:
            if given["seconds"] > 0:
                signal.setitimer(signal.ITIMER_REAL, 0)
            sys.stdout, sys.stderr = streams
        cell["stdout"], cell["stderr"] = out.getvalue(), err.getvalue()
        record.append(cell)
    with open(".record.json", "w", encoding="utf-8", errors="replace") as file:
        json.dump(record, file)
run_cells()
)";

struct NotebookBody {
  std::vector<std::string> cells;
  double cell_timeout = 0, total_timeout = 45;
  int64_t memory_limit_mb = -1;
  std::string kernel = "python3";
  Json files;
  std::vector<std::string> fetch_files;
};

Fields NotebookFields(NotebookBody* b) {
  Fields table;
  table.Add("cells", &b->cells, "the cells, in order")
      .Required()
      .Example(Json::MakeArray().Append("x = 6").Append("x * 7"));
  table.Add("cell_timeout", &b->cell_timeout, "seconds for each cell; 0: none");
  table.Add("total_timeout", &b->total_timeout, "seconds for all");
  table.Add("memory_limit_MB", &b->memory_limit_mb, "MiB; below 1: the most that the server gives");
  table.Add("kernel", &b->kernel, "python3").OneOf({"python3"});
  AddFusionFiles(&table, &b->files, &b->fetch_files);
  return table;
}

// What the driver wrote, if it has the shape of it: the program could write there, too.
Json Cells(const RunResult& result, size_t count) {
  for (const SourceFile& file : result.collected) {
    Result<Json> record = ParseJson(file.bytes);
    if (file.path != kRecordFile || !record.ok() || !record->IsArray()) continue;
    if (record->AsArray()->size() == count) return std::move(*record);
  }
  return Json::MakeArray();
}

HttpResponse RunNotebook(const ServeContext& context, const Job& job, size_t count) {
  const RunResult result = context.Run(job);
  const bool fault = result.cause == Cause::kFault;
  Json files = Json::MakeObject();
  for (const SourceFile& file : result.collected) {
    if (file.path != kRecordFile) files.Set(file.path, Base64Encoded(file.bytes));
  }
  const bool done = result.ok();
  return HttpResponse::OfJson(200,
                              Json()
                                  .Set("status", fault  ? "SandboxError"
                                                 : done ? "Success"
                                                        : "Failed")
                                  .Set("message", fault ? result.fault : Remark(result, job.limits))
                                  .Set("driver", FusionStage(result))
                                  .Set("cells", done ? Cells(result, count) : Json::MakeArray())
                                  .Set("executor_pod_name", FusionPodName())
                                  .Set("files", done ? std::move(files) : Json::MakeObject()));
}

}  // namespace

PlanOrResponse PlanRunJupyter(const ServeContext& context, const HttpRequest& request) {
  NotebookBody body;
  if (std::optional<HttpResponse> bad = ReadBody(request, NotebookFields(&body))) return *bad;
  auto job = std::make_shared<Job>();
  Json errors = Json::MakeArray();
  ReadFusionFiles(body.files, &job->files, &errors);
  if (!errors.AsArray()->empty()) return FieldErrors(std::move(errors));
  Json cells = Json::MakeArray();
  for (const std::string& cell : body.cells) cells.Append(cell);
  job->files.push_back(
      {kCellsFile, Json().Set("cells", std::move(cells)).Set("seconds", body.cell_timeout).Dump()});
  job->source = kDriver;
  job->limits = LimitsFor(context.bounds(), body.total_timeout, 10, body.memory_limit_mb);
  job->allow = {"subprocess"};
  job->collect = FusionFetched(body.fetch_files);
  job->collect.emplace_back(kRecordFile);
  return OnePiece(
      [&context, job, count = body.cells.size()] { return RunNotebook(context, *job, count); });
}

Json RunJupyterRequestSchema() {
  NotebookBody body;
  return NotebookFields(&body).Schema();
}

Json RunJupyterResponseSchema() {
  const Json objects = ArraySchema(Json().Set("type", "object"), "");
  const Json cell = ObjectSchema({{"stdout", StringSchema("")},
                                  {"stderr", StringSchema("")},
                                  {"display", objects},
                                  {"error", objects}});
  return ObjectSchema(
      {{"status", StringSchema("Success where the driver ended well, Failed or SandboxError")},
       {"message", StringSchema("what went wrong in the sandbox, what was cut; else empty")},
       {"driver", FusionStageSchema()},
       {"cells", ArraySchema(cell, "one for each cell; none unless Success")},
       {"executor_pod_name", OrNull(StringSchema("the server's MY_POD_NAME"))},
       {"files", FusionFilesSchema()}});
}

}  // namespace assay
