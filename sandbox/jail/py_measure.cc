#define PY_SSIZE_T_CLEAN
// Since Python 3.11 the hook sees frames before they have an object: their layout is internal before Python 3.12.
#define Py_BUILD_CORE 1
#include <Python.h>
#if PY_VERSION_HEX >= 0x030B0000
#include <internal/pycore_frame.h>
#else
#include <frameobject.h>
#endif
#undef Py_BUILD_CORE

#include <sys/mman.h>

#include <new>
#include <string>
#include <string_view>

#include "sandbox/jail/py_measure.h"

namespace assay::jail {
namespace {

BytecodeCount* g_count = nullptr;
bool g_arming = false;
PyObject* g_trace_opcodes =
    nullptr;  // the frame type's own attributes, which programs no longer find
PyObject* g_trace_lines = nullptr;

void Void() { g_count->voided = 1; }

void SetOn(PyObject* attribute, PyObject* frame, PyObject* value) {
  if (Py_TYPE(attribute)->tp_descr_set(attribute, frame, value) != 0) {
    PyErr_Clear();
    Void();
  }
}

int OnEvent(PyObject*, PyFrameObject* frame, int what, PyObject*) {
  if (what == PyTrace_OPCODE) {
    ++g_count->executed;
  } else if (what == PyTrace_CALL) {
    SetOn(g_trace_opcodes, reinterpret_cast<PyObject*>(frame), Py_True);
    SetOn(g_trace_lines, reinterpret_cast<PyObject*>(frame), Py_False);
  }
  return 0;
}

void Arm() {
  g_arming = true;
  PyEval_SetTrace(OnEvent, nullptr);
  g_arming = false;
}

#if PY_VERSION_HEX >= 0x030B0000
using HookFrame = _PyInterpreterFrame;

// Nothing before a code object's RESUME is traced. The compiler puts a handful of instructions there; code that was made by
// hand could put all of it there, or have none.
bool IsTraceable(PyCodeObject* code) {
  return code->_co_firsttraceable <= 8 + code->co_ncellvars + code->co_nfreevars &&
         code->_co_firsttraceable < Py_SIZE(code);
}
#else
using HookFrame = PyFrameObject;

bool IsTraceable(PyCodeObject*) { return true; }  // all of it is traced
#endif

// Every entry into a frame, a new thread's first among them.
PyObject* EvalFrame(PyThreadState* thread, HookFrame* frame, int throwing) {
#if PY_VERSION_HEX >= 0x030C0000
  PyCodeObject* code = reinterpret_cast<PyCodeObject*>(PyUnstable_InterpreterFrame_GetCode(frame));
  bool traceable = IsTraceable(code);
  Py_DECREF(code);
#else
  bool traceable = IsTraceable(frame->f_code);
#endif
  if (!traceable) Void();
  if (thread->c_tracefunc != OnEvent) Arm();
  return _PyEval_EvalFrameDefault(thread, frame, throwing);
}

constexpr std::string_view kVoiding[] = {"sys.settrace",
                                         "sys.setprofile",
                                         "sys.addaudithook",
                                         "os.fork",
                                         "os.forkpty",
                                         "os.exec",
                                         "os.posix_spawn",
                                         "os.spawn",
                                         "os.system",
                                         "subprocess.Popen",
                                         "pty.spawn",
                                         "os.symlink",
                                         "os.link",
                                         "ctypes.dlsym",
                                         "ctypes.call_function",
                                         "ctypes.cdata",
                                         "ctypes.cdata/buffer",
                                         "ctypes.addressof",
                                         "ctypes.string_at",
                                         "ctypes.wstring_at",
                                         "ctypes.PyObj_FromPtr",
                                         "ctypes.dlsym/handle"};

// The text of a path; "" and false for what is none.
bool PathText(PyObject* path, std::string* text) {
  const char* bytes = nullptr;
  if (path == nullptr) return false;
  if (PyUnicode_CheckExact(path)) bytes = PyUnicode_AsUTF8(path);
  if (PyBytes_CheckExact(path)) bytes = PyBytes_AS_STRING(path);
  PyErr_Clear();
  if (bytes != nullptr) *text = bytes;
  return bytes != nullptr;
}

// Memory of this process as a file.
bool MayReachMemory(PyObject* path) {
  std::string text;
  if (path == Py_None || PyLong_Check(path)) return false;  // a descriptor that is open already
  if (!PathText(path, &text)) return true;
  return text.find("proc") != std::string::npos || text == "mem" || text.ends_with("/mem");
}

// Native code that is not the machine's own.
bool IsOwnNativeCode(PyObject* path) {
  std::string text;
  if (path == nullptr || path == Py_None || !PathText(path, &text)) return false;
  return text.find(".so") != std::string::npos &&
         (!text.starts_with("/") || text.starts_with("/tmp"));
}

int OnAudit(const char* event, PyObject* args, void*) {
  if (g_count == nullptr || g_arming) return 0;
  std::string_view name = event;
  for (std::string_view voiding : kVoiding) {
    if (name == voiding) Void();
  }
  bool has_args = args != nullptr && PyTuple_Check(args);
  PyObject* first = has_args && PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : nullptr;
  PyObject* second = has_args && PyTuple_GET_SIZE(args) > 1 ? PyTuple_GET_ITEM(args, 1) : nullptr;
  if ((name == "open" || name == "os.chdir" || name == "os.rename") && first != nullptr &&
      MayReachMemory(first))
    Void();
  if (name == "import" && IsOwnNativeCode(second)) Void();
  if (name == "ctypes.dlopen" && first != nullptr && first != Py_None) Void();
  return 0;
}

// Takes an attribute from a type, so that no Python code finds it.
PyObject* TakeAttribute(PyTypeObject* type, const char* name) {
  PyObject* attribute = PyDict_GetItemString(type->tp_dict, name);
  Py_XINCREF(attribute);
  if (attribute == nullptr || PyDict_DelItemString(type->tp_dict, name) != 0) PyErr_Clear();
  if (attribute != nullptr && PyObject_GC_IsTracked(attribute)) PyObject_GC_UnTrack(attribute);
  return attribute;
}

}  // namespace

BytecodeCount* NewBytecodeCount() {
  void* page = mmap(nullptr, sizeof(BytecodeCount), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? nullptr : new (page) BytecodeCount;
}

int64_t FinishCount(BytecodeCount* count) {
  int64_t result = count->started != 0 && count->voided == 0 ? count->executed : -1;
  munmap(count, sizeof(BytecodeCount));
  return result;
}

void StartCounting(BytecodeCount* count) {
  g_count = count;
  g_trace_opcodes = TakeAttribute(&PyFrame_Type, "f_trace_opcodes");
  g_trace_lines = TakeAttribute(&PyFrame_Type, "f_trace_lines");
  PyType_Modified(&PyFrame_Type);
  if (g_trace_opcodes == nullptr || g_trace_lines == nullptr) return;
  g_arming = true;
  bool hooked = PySys_AddAuditHook(OnAudit, nullptr) == 0;
  g_arming = false;
  if (!hooked) {
    PyErr_Clear();
    return;
  }
  _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(), EvalFrame);
  Arm();
  count->started = 1;
}

}  // namespace assay::jail
