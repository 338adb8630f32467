#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>
#include <unistd.h>

// After Python.h, which wants to be first.
#include "core/text.h"
#include "sandbox/jail/py_heap.h"
#include "sandbox/jail/py_runtime.h"

namespace assay::jail {
namespace {

// What programs and answers import most: paid once here and not in every job. Not dataclasses, inspect, hashlib, tempfile and
// their like: every box pays for the pages that are mapped, few use them, and importing one costs a job some milliseconds.
constexpr const char* kPreimport[] = {
    "re",        "math",     "cmath",     "random",     "string",      "time",
    "datetime",  "typing",   "types",     "abc",        "copy",        "functools",
    "itertools", "operator", "enum",      "heapq",      "collections", "collections.abc",
    "bisect",    "array",    "numbers",   "decimal",    "fractions",   "statistics",
    "json",      "struct",   "threading", "contextlib", "warnings",    "linecache"};

constexpr char kSetUp[] =
    "import site, sys\n"
    "site.setquit(); site.setcopyright(); site.sethelper()\n"
    "sys.path += [p for p in site.getsitepackages() if p not in sys.path]\n"
    "sys.path += _assay_paths\n"
    "import random\n"
    "random.seed(0)\n"  // the same numbers in every job: a verdict does not depend on luck
    // The first call makes the some hundred types of syntax trees: 2 ms that no job need pay.
    "compile(b'', 'main.py', 'exec')\n"
    "del site, sys, random, _assay_paths\n";

// Makes no garbage that only the collector would find.
constexpr char kWarmUp[] = R"(
def f(a, b=1):
    total = 0
    for i, x in enumerate(sorted(a, key=lambda v: -v)):
        if x > b and not i % 2:
            total += x * 2.5
    return [str(total), "%d" % i, f"{total:.2f}"]
d = {"a": (1, 2), 3: {4}}
d["b"] = " ".join(f([3, 1, 2]))[1:].split()
try:
    d["c"] = int("x")
except ValueError as e:
    str(e)
)";

std::string TakeError() {
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyObject* text = value != nullptr ? PyObject_Str(value) : nullptr;
  const char* utf8 = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
  std::string message = utf8 != nullptr ? utf8 : "unknown error";
  Py_XDECREF(text);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  PyErr_Clear();
  return message;
}

Error PythonError(std::string_view what, std::string_view why) {
  return Error{ErrorCode::kUnavailable,
               StrCat("the built-in Python cannot start: ", what, ": ", why), ""};
}

// While it lives, the descriptors 0, 1 and 2 are pipes. The interpreter asks once, when it makes sys.stdin and its kin, whether they
// can seek, and remembers: what a worker is started with may be a file, what a program gets is a pipe.
class PipesAsStreams {
 public:
  PipesAsStreams() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    for (int fd = 0; fd < 3; ++fd) {
      saved_[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
      dup2(ends[fd == 0 ? 0 : 1], fd);
    }
    close(ends[0]);
    close(ends[1]);
  }
  ~PipesAsStreams() {
    for (int fd = 0; fd < 3; ++fd) {
      if (saved_[fd] < 0) continue;
      dup2(saved_[fd], fd);
      close(saved_[fd]);
    }
  }
  PipesAsStreams(const PipesAsStreams&) = delete;
  PipesAsStreams& operator=(const PipesAsStreams&) = delete;

 private:
  int saved_[3] = {-1, -1, -1};
};

// What comes before "/lib/python3.12".
std::string HomeOf(const std::string& library) {
  const size_t name = library.rfind('/');
  const size_t lib = name == std::string::npos ? name : library.rfind('/', name - 1);
  return lib == std::string::npos ? "" : library.substr(0, lib);
}

Status Initialize(const std::string& library) {
  const PipesAsStreams pipes;
  PyPreConfig preconfig;
  PyPreConfig_InitIsolatedConfig(&preconfig);
  preconfig.utf8_mode = 1;
  PyStatus status = Py_PreInitialize(&preconfig);
  if (PyStatus_Exception(status)) return PythonError("pre-initialisation", status.err_msg);
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;  // its .pth files run code of this machine's packages
  config.write_bytecode = 0;
  config.use_hash_seed = 1;
  config.hash_seed = 0;
  config.install_signal_handlers = 1;
  config.faulthandler = 0;
  const std::string home = HomeOf(library);
  const std::string program = (home.empty() ? "/usr" : home) + "/bin/python3";
  status = PyConfig_SetBytesString(&config, &config.program_name, program.c_str());
  if (!PyStatus_Exception(status))
    status = PyConfig_SetBytesString(&config, &config.executable, program.c_str());
  if (!PyStatus_Exception(status) && !home.empty())
    status = PyConfig_SetBytesString(&config, &config.home, home.c_str());
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) return PythonError("initialisation", status.err_msg);
  return {};
}

Status SetUpPaths(const std::vector<std::string>& paths) {
  PyObject* list = PyList_New(0);
  for (const std::string& path : paths) {
    PyObject* item =
        PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
    if (item == nullptr || PyList_Append(list, item) != 0) return PythonError("paths", TakeError());
    Py_DECREF(item);
  }
  PyObject* main = PyModule_GetDict(PyImport_AddModule("__main__"));
  PyDict_SetItemString(main, "_assay_paths", list);
  Py_DECREF(list);
  PyObject* done = PyRun_String(kSetUp, Py_file_input, main, main);
  if (done == nullptr) return PythonError("set-up", TakeError());
  Py_DECREF(done);
  return {};
}

Status Import(const char* name, bool required) {
  PyObject* module = PyImport_ImportModule(name);
  if (module == nullptr) {
    std::string why = TakeError();
    if (required) return PythonError(StrCat("import ", name), why);
  }
  Py_XDECREF(module);
  return {};
}

// Calls `module.function()` if the module is loaded; errors are printed as at the end of the python command.
void CallIfLoaded(const char* module_name, const char* function) {
  PyObject* modules = PyImport_GetModuleDict();
  PyObject* module = PyDict_GetItemString(modules, module_name);
  if (module == nullptr) return;
  PyObject* result = PyObject_CallMethod(module, function, nullptr);
  if (result == nullptr) PyErr_WriteUnraisable(module);
  Py_XDECREF(result);
}

// True if the module's variable is an empty set or list. Looking costs less than calling what would find nothing to do.
bool IsEmpty(const char* module_name, const char* variable) {
  PyObject* module = PyDict_GetItemString(PyImport_GetModuleDict(), module_name);
  PyObject* globals =
      module != nullptr && PyModule_Check(module) ? PyModule_GetDict(module) : nullptr;
  PyObject* value = globals != nullptr ? PyDict_GetItemString(globals, variable) : nullptr;
  if (value == nullptr) return false;
  return (PyAnySet_CheckExact(value) && PySet_GET_SIZE(value) == 0) ||
         (PyList_CheckExact(value) && PyList_GET_SIZE(value) == 0);
}

bool Flush(const char* stream_name) {
  PyObject* stream = PySys_GetObject(stream_name);
  if (stream == nullptr || stream == Py_None) return true;
  PyObject* result = PyObject_CallMethod(stream, "flush", nullptr);
  bool ok = result != nullptr;
  if (!ok) PyErr_Clear();  // a program that closed its stdout has nothing to flush
  Py_XDECREF(result);
  return ok;
}

// A closed stream cannot be flushed and need not be.
bool IsClosed(const char* stream_name) {
  PyObject* stream = PySys_GetObject(stream_name);
  if (stream == nullptr || stream == Py_None) return true;
  PyObject* closed = PyObject_GetAttrString(stream, "closed");
  int is_closed = closed != nullptr ? PyObject_IsTrue(closed) : 0;
  PyErr_Clear();
  Py_XDECREF(closed);
  return is_closed == 1;
}

// The exit code of a SystemExit, as the python command gives it: None is 0, an integer itself, all else is printed and 1.
int ExitCodeOf(PyObject* exception) {
  PyObject* code = PyObject_GetAttrString(exception, "code");
  if (code == nullptr) {
    PyErr_Clear();
    return 1;
  }
  int result = 1;
  if (code == Py_None) {
    result = 0;
  } else if (PyLong_Check(code)) {
    result = static_cast<int>(PyLong_AsLong(code)) & 0xff;
    PyErr_Clear();
  } else {
    PyObject* stream = PySys_GetObject("stderr");
    Flush("stdout");
    if (stream != nullptr && stream != Py_None) {
      if (PyFile_WriteObject(code, stream, Py_PRINT_RAW) == 0) PyFile_WriteString("\n", stream);
    }
    PyErr_Clear();
  }
  Py_DECREF(code);
  return result;
}

int HandleException() {
  if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
    PyErr_PrintEx(0);
    return 1;
  }
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  int code = value != nullptr ? ExitCodeOf(value) : 1;
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  return code;
}

const char* ScratchFolder() {
  const char* folder = getenv("TMPDIR");
  return folder != nullptr ? folder : "/tmp";
}

bool SetArguments(const std::vector<std::string_view>& args) {
  PyObject* argv = PyList_New(0);
  PyObject* first = PyUnicode_FromString("main.py");
  if (argv == nullptr || first == nullptr || PyList_Append(argv, first) != 0) return false;
  Py_DECREF(first);
  for (std::string_view arg : args) {
    PyObject* item =
        PyUnicode_DecodeFSDefaultAndSize(arg.data(), static_cast<Py_ssize_t>(arg.size()));
    if (item == nullptr || PyList_Append(argv, item) != 0) return false;
    Py_DECREF(item);
  }
  bool ok = PySys_SetObject("argv", argv) == 0;
  Py_DECREF(argv);
  PyObject* path = PySys_GetObject("path");
  PyObject* here = PyUnicode_FromString(ScratchFolder());
  ok = ok && path != nullptr && here != nullptr && PyList_Insert(path, 0, here) == 0;
  Py_XDECREF(here);
  return ok;
}

// Compiled by the built-in `compile`, which knows of encoding declarations and of null bytes.
PyObject* Compile(std::string_view source) {
  PyObject* bytes =
      PyBytes_FromStringAndSize(source.data(), static_cast<Py_ssize_t>(source.size()));
  PyObject* compile = PyDict_GetItemString(PyEval_GetBuiltins(), "compile");
  if (bytes == nullptr || compile == nullptr) return nullptr;
  PyObject* code = PyObject_CallFunction(compile, "Ossii", bytes, "main.py", "exec", 0, 1);
  Py_DECREF(bytes);
  return code;
}

}  // namespace

Result<std::string> StartPython(const PythonConfig& config) {
  PlaceArenas();
  if (Status started = Initialize(config.library); !started.ok()) return started.error();
  if (Status paths = SetUpPaths(config.paths); !paths.ok()) return paths.error();
  for (const char* name : kPreimport) (void)Import(name, false);
  for (const std::string& name : config.preimport) {
    if (Status imported = Import(name.c_str(), true); !imported.ok()) return imported.error();
  }
  std::string version = Py_GetVersion();
  return version.substr(0, version.find(' '));
}

void FreezePython() {
  PyGC_Collect();
  PyObject* gc = PyImport_ImportModule("gc");
  PyObject* done = gc != nullptr ? PyObject_CallMethod(gc, "freeze", nullptr) : nullptr;
  PyErr_Clear();
  Py_XDECREF(done);
  Py_XDECREF(gc);
}

int ForkWithPython() {
  // Without PyOS_BeforeFork and its kin: they mend locks that other threads may hold, and a zygote has no other threads; they
  // would run hooks of imported modules (random reseeds itself) in every child, and dirty its pages.
  return fork();
}

void WarmUpPython() {
  PyObject* globals = PyDict_New();
  PyObject* compiled = globals != nullptr ? Compile(kWarmUp) : nullptr;
  PyObject* builtins = PyEval_GetBuiltins();
  if (compiled != nullptr && PyDict_SetItemString(globals, "__builtins__", builtins) == 0)
    Py_XDECREF(PyEval_EvalCode(compiled, globals, globals));
  Py_XDECREF(compiled);
  Py_XDECREF(globals);
  PyErr_Clear();
}

int RunPythonProgram(std::string_view source, const std::vector<std::string_view>& args) {
  PyObject* main = PyImport_AddModule("__main__");
  PyObject* globals = main != nullptr ? PyModule_GetDict(main) : nullptr;
  if (globals == nullptr || !SetArguments(args)) return HandleException();
  PyObject* file = PyUnicode_FromFormat("%s/main.py", ScratchFolder());
  if (file == nullptr || PyDict_SetItemString(globals, "__file__", file) != 0)
    return HandleException();
  Py_DECREF(file);
  int code = 0;
  PyObject* compiled = Compile(source);
  PyObject* result = compiled != nullptr ? PyEval_EvalCode(compiled, globals, globals) : nullptr;
  if (result == nullptr) code = HandleException();
  Py_XDECREF(result);
  return FinishPython(code);
}

int FinishPython(int code) {
  if (!IsEmpty("threading", "_shutdown_locks") || !IsEmpty("threading", "_threading_atexits"))
    CallIfLoaded("threading", "_shutdown");
  CallIfLoaded("atexit", "_run_exitfuncs");
  bool flushed = IsClosed("stdout") || Flush("stdout");
  if (!IsClosed("stderr")) Flush("stderr");
  return flushed ? code : 120;
}

}  // namespace assay::jail
