// The box's side of the judge. Everything here runs in the process of a program that nobody trusts: it may overwrite all of
// it, and nothing that it could write makes the tester believe more than "this is the value that the function returned".
#include <Python.h>
#include <fcntl.h>
#include <marshal.h>
#include <structmember.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "sandbox/jail/judge_spec.h"
#include "sandbox/jail/py_beside_source.h"
#include "sandbox/jail/py_channel.h"
#include "sandbox/jail/py_harness.h"
#include "sandbox/jail/py_runtime.h"
#include "sandbox/jail/py_transfer.h"

namespace assay::jail {
namespace {

constexpr const char* kFileName = "<solution>";
constexpr size_t kMaxRequestBytes = size_t{256} << 20;
constexpr size_t kMaxMessageBytes = 2000;
constexpr int kProtocolExit = 3;
constexpr size_t kMaxClasses = 8;
constexpr size_t kGivenBytesMax = 256 << 10;
constexpr Py_ssize_t kGivenItemsMax = 4096;

class Box;
Box* g_box = nullptr;

// ------------------------------------------------------------------------------- functions of the tester's, seen from the box

struct CallbackObject {
  PyObject_HEAD uint64_t id;
  PyObject* fields;  // its __dict__
};

PyObject* CallCallback(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* NextOfCallback(PyObject* self);
PyObject* SendToCallback(PyObject* self, PyObject* value);

PyMethodDef g_iterator_methods[] = {{"send", SendToCallback, METH_O, nullptr},
                                    {nullptr, nullptr, 0, nullptr}};
PyMemberDef g_callback_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(CallbackObject, fields), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef g_callback_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
// They live as long as the box: nothing is given back.
PyType_Slot g_callback_slots[] = {{Py_tp_call, reinterpret_cast<void*>(CallCallback)},
                                  {Py_tp_members, g_callback_members},
                                  {Py_tp_getset, g_callback_getset},
                                  {0, nullptr}};
PyType_Slot g_iterator_slots[] = {{Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                                  {Py_tp_iternext, reinterpret_cast<void*>(NextOfCallback)},
                                  {Py_tp_methods, g_iterator_methods},
                                  {0, nullptr}};
constexpr unsigned kCallbackFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
PyType_Spec g_callback_spec = {"function", sizeof(CallbackObject), 0, kCallbackFlags,
                               g_callback_slots};
PyType_Spec g_iterator_spec = {"iterator", sizeof(CallbackObject), 0, kCallbackFlags,
                               g_iterator_slots};
PyTypeObject* g_callback_type = nullptr;
PyObject* g_beside_code = nullptr;  // of py_beside.py; it holds nothing of any tests
PyTypeObject* g_iterator_type = nullptr;

// A module that no name leads to.
PyObject* NewBesideModule() {
  PyRef module(PyModule_New("_assay_beside"));
  PyObject* scope = module ? PyModule_GetDict(module.get()) : nullptr;
  if (scope == nullptr || PyDict_SetItemString(scope, "__builtins__", PyEval_GetBuiltins()) != 0)
    return nullptr;
  PyRef done(PyEval_EvalCode(g_beside_code, scope, scope));
  return done ? module.release() : nullptr;
}

bool HasContains(PyObject* value) {
  const PySequenceMethods* sequence = Py_TYPE(value)->tp_as_sequence;
  return sequence != nullptr && sequence->sq_contains != nullptr;
}

class BoxHooks : public TransferHooks {
 public:
  PyObject* globals = nullptr;
  std::vector<std::string> records;

  Foreign Export(PyObject* value, uint64_t* id, uint8_t* flags, std::string* about) override {
    if (Py_TYPE(value) == g_callback_type || Py_TYPE(value) == g_iterator_type) {
      *id = reinterpret_cast<CallbackObject*>(value)->id;
      return Foreign::kReturned;
    }
    *flags = static_cast<uint8_t>((PyCallable_Check(value) ? kHandleCallable : 0) |
                                  (PyIter_Check(value) ? kHandleIterator : 0) |
                                  (PyType_Check(value) ? kHandleClass : 0) |
                                  (PyGen_CheckExact(value) ? kHandleGenerator : 0) |
                                  (PyCoro_CheckExact(value) ? kHandleCoroutine : 0) |
                                  (HasContains(value) ? kHandleContainer : 0) |
                                  (PyExceptionClass_Check(value) ? kHandleException : 0));
    if (const char* name = BuiltinFunctionName(value)) {
      *flags |= kHandleBuiltin;
      *about = name;
    }
    auto found = ids_.find(value);
    if (found == ids_.end()) {
      Py_INCREF(value);
      objects_.push_back(value);
      found = ids_.emplace(value, objects_.size()).first;
    }
    *id = found->second;
    return Foreign::kHandle;
  }

  PyObject* Import(Foreign kind, uint64_t id, uint8_t flags, std::string_view about) override {
    if (kind == Foreign::kReturned) return Py_XNewRef(Object(id));
    if (kind != Foreign::kCallback) return nullptr;
    auto [known, fresh] = callbacks_.emplace(id, nullptr);
    if (fresh) {
      PyTypeObject* type = (flags & kHandleIterator) != 0 ? g_iterator_type : g_callback_type;
      known->second = type->tp_alloc(type, 0);
      if (known->second == nullptr) return nullptr;
      auto* callback = reinterpret_cast<CallbackObject*>(known->second);
      callback->id = id;
      if (type == g_callback_type) callback->fields = Names(about);
    }
    return Py_XNewRef(known->second);
  }

  PyObject* EnumStandIn(const std::string& name, const std::string& member,
                        PyObject* value) override {
    PyObject*& known = enum_members_[name + "." + member];
    if (known == nullptr) {
      PyRef module(PyImport_ImportModule("enum"));
      PyRef made(module ? PyObject_CallMethod(module.get(), "Enum", "s{sO}", name.c_str(),
                                              member.c_str(), value)
                        : nullptr);
      if (made) known = PyObject_GetAttrString(made.get(), member.c_str());
      PyErr_Clear();
    }
    return Py_XNewRef(known);
  }

  std::string RecordName(PyTypeObject* type) override {
    if (records.empty() || !(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) return "";
    for (const std::string& record : records) {
      if (record == type->tp_name) return record;
    }
    return "";
  }

  PyObject* RecordClass(const std::string& name) override {
    // What came as a record goes back as one.
    if (std::find(records.begin(), records.end(), name) == records.end()) records.push_back(name);
    PyObject* found = PyDict_GetItemString(globals, name.c_str());
    if (found != nullptr && PyType_Check(found)) return found;
    // A class that only the tests know: something to hold its fields.
    PyRef made(
        PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(){}", name.c_str()));
    if (!made) return nullptr;
    if (auto known = made_classes_.find(name); known != made_classes_.end()) return known->second;
    return made_classes_.emplace(name, made.release()).first->second;
  }

  bool IsTester() const override { return false; }

  // Borrowed; null for a number that was never given out.
  PyObject* Object(uint64_t id) const {
    return id == 0 || id > objects_.size() ? nullptr : objects_[id - 1];
  }

 private:
  // What functools.wraps and the like look at.
  static PyObject* Names(std::string_view about) {
    size_t end = std::min(about.find('\0'), about.size());
    std::string name(about.substr(0, end));
    std::string doc(about.substr(std::min(end + 1, about.size())));
    PyObject* fields =
        doc.empty() ? Py_BuildValue("{ssssss}", "__name__", name.c_str(), "__qualname__",
                                    name.c_str(), "__module__", "tests")
                    : Py_BuildValue("{ssssssss}", "__name__", name.c_str(), "__qualname__",
                                    name.c_str(), "__module__", "tests", "__doc__", doc.c_str());
    PyErr_Clear();
    return fields;
  }

  std::vector<PyObject*> objects_;
  std::unordered_map<uint64_t, PyObject*> callbacks_;
  std::unordered_map<std::string, PyObject*> enum_members_;
  std::unordered_map<PyObject*, uint64_t> ids_;
  std::unordered_map<std::string, PyObject*> made_classes_;
};

// ----------------------------------------------------------------------------------------------------------- exceptions

std::string Text(PyObject* text) {
  const char* utf8 = text != nullptr && PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : nullptr;
  PyErr_Clear();
  return std::string(utf8 != nullptr ? utf8 : "").substr(0, kMaxMessageBytes);
}

// The last line of the program itself that the exception went through; 0 if there is none.
int64_t LineOf(PyObject* traceback) {
  int64_t line = 0;
  for (auto* at = reinterpret_cast<PyTracebackObject*>(traceback); at != nullptr;
       at = at->tb_next) {
    PyRef code(reinterpret_cast<PyObject*>(PyFrame_GetCode(at->tb_frame)));
    PyObject* file = reinterpret_cast<PyCodeObject*>(code.get())->co_filename;
    if (file == nullptr || PyUnicode_CompareWithASCIIString(file, kFileName) != 0) continue;
    line = at->tb_lineno >= 0 ? at->tb_lineno : PyFrame_GetLineNumber(at->tb_frame);
  }
  return line;
}

struct Raised {
  PyRef value;
  std::string type;
  std::string message;
  int64_t line = 0;
  bool exit = false;
};

// Takes the current exception.
Raised TakeException() {
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  PyRef keep_type(type), keep_traceback(traceback);
  Raised raised;
  raised.value = PyRef(value);
  if (value == nullptr) {
    raised.type = "Exception";
    PyErr_Clear();
    return raised;
  }
  raised.type = std::string(Py_TYPE(value)->tp_name).substr(0, 200);
  raised.exit = PyErr_GivenExceptionMatches(value, PyExc_SystemExit) != 0;
  raised.line = traceback != nullptr ? LineOf(traceback) : 0;
  PyRef text(PyObject_Str(value));
  raised.message = Text(text.get());
  return raised;
}

int64_t Attribute(PyObject* value, const char* name) {
  PyRef number(PyObject_GetAttrString(value, name));
  long result = number && PyLong_Check(number.get()) ? PyLong_AsLong(number.get()) : 0;
  PyErr_Clear();
  return result;
}

// ------------------------------------------------------------------------------------------------------------- the box

class Box {
 public:
  Box(int requests_fd, int answers_fd, CandidateSpec spec)
      : requests_fd_(requests_fd), answers_fd_(answers_fd), spec_(std::move(spec)), pid_(getpid()) {
    hooks_.records = spec_.records;
  }

  int Run() {
    if (!MakeModule() || (spec_.waits_for_setup && !ServeSetup()) || !Load()) return 1;
    while (true) {
      std::string frame;
      if (!Read(&frame)) return 0;  // the tester is done with us
      if (frame.empty() || frame[0] != static_cast<char>(Frame::kRequest)) return kProtocolExit;
      if (!Serve(frame)) return exited_ ? exit_code_ : kProtocolExit;
    }
  }

  // Called from the program, within a request: asks the tester to call one of its own functions.
  PyObject* CallBack(uint64_t id, PyObject* args, PyObject* kwargs) {
    // Of the program's threads one at a time, until it has its answer: two that read the same pipe would have half of one each.
    std::unique_lock<std::recursive_mutex> turn(turn_, std::defer_lock);
    if (!turn.try_lock()) {
      Py_BEGIN_ALLOW_THREADS;
      turn.lock();
      Py_END_ALLOW_THREADS;
    }
    uint64_t number = ++callbacks_;
    Encoder encoder(&hooks_, TransferLimits());
    encoder.bytes().push_back(static_cast<char>(Frame::kCallback));
    PutVarint(number, &encoder.bytes());
    PutVarint(id, &encoder.bytes());
    if (!encoder.Put(args) || !encoder.Put(kwargs == nullptr ? Py_None : kwargs) ||
        !encoder.Finish()) {
      PyErr_SetString(PyExc_TypeError, encoder.error().c_str());
      return nullptr;
    }
    if (!Write(encoder.bytes())) _exit(kProtocolExit);
    while (true) {
      std::string frame;
      if (!Read(&frame) || frame.empty()) _exit(0);
      if (frame[0] == static_cast<char>(Frame::kRequest)) {
        if (!Serve(frame)) _exit(exited_ ? exit_code_ : kProtocolExit);
        continue;
      }
      return TakeAnswer(frame);
    }
  }

 private:
  bool Write(const std::string& body) {
    bool ok;
    Py_BEGIN_ALLOW_THREADS;
    ok = WriteFrame(answers_fd_, body);
    Py_END_ALLOW_THREADS;
    return ok;
  }

  bool Read(std::string* body) {
    ReadStatus status;
    Py_BEGIN_ALLOW_THREADS;
    status = ReadFrame(requests_fd_, kMaxRequestBytes, body, [] {
      PyGILState_STATE state = PyGILState_Ensure();
      if (PyErr_CheckSignals() != 0) PyErr_Clear();
      PyGILState_Release(state);
    });
    Py_END_ALLOW_THREADS;
    return status == ReadStatus::kOk;
  }

  // A fork of the program that comes back to us is not the box: it must not speak.
  void EndIfForked() const {
    if (getpid() != pid_) _exit(0);
  }

  bool SendLoaded(LoadStatus status, const Raised& raised, int64_t line) {
    std::string body(1, static_cast<char>(Frame::kLoaded));
    body.push_back(static_cast<char>(status));
    PutBytes(raised.type, &body);
    PutBytes(raised.message, &body);
    PutVarint(line > 0 ? static_cast<uint64_t>(line) : 0, &body);
    PutVarint(line > spec_.first_line ? static_cast<uint64_t>(line - spec_.first_line) : 0, &body);
    return Write(body);
  }

  // The module in which the program will be defined.
  bool MakeModule() {
    PyRef name(PyUnicode_FromString(spec_.module_name.c_str()));
    PyRef module(PyModule_NewObject(name.get()));
    if (!module || PyDict_SetItem(PyImport_GetModuleDict(), name.get(), module.get()) != 0)
      return false;
    hooks_.globals = PyModule_GetDict(module.get());
    PyDict_SetItemString(hooks_.globals, "__builtins__", PyEval_GetBuiltins());
    PyRef file(PyUnicode_FromString((spec_.module_name + ".py").c_str()));
    PyDict_SetItemString(hooks_.globals, "__file__", file.get());
    module.release();  // lives as long as the box
    return true;
  }

  // The tester's one request before the program is loaded.
  bool ServeSetup() {
    std::string frame;
    return Read(&frame) && frame.size() > 1 && frame[0] == static_cast<char>(Frame::kRequest) &&
           frame[1] == static_cast<char>(Operation::kSetup) && Serve(frame);
  }

  // Runs the program in its module. False: told to the tester, nothing to serve.
  bool Load() {
    PyRef code = Compile();
    if (!code) {
      Raised raised = TakeException();
      int64_t line = raised.value ? Attribute(raised.value.get(), "lineno") : 0;
      if (raised.value && PyErr_GivenExceptionMatches(raised.value.get(), PyExc_SyntaxError)) {
        PyRef message(PyObject_GetAttrString(raised.value.get(), "msg"));
        raised.message = Text(message.get());
      }
      SendLoaded(LoadStatus::kSyntaxError, raised, line);
      return false;
    }
    PyRef done(PyEval_EvalCode(code.get(), hooks_.globals, hooks_.globals));
    EndIfForked();
    if (done) return SendLoaded(LoadStatus::kOk, Raised(), 0);
    Raised raised = TakeException();
    SendLoaded(raised.exit ? LoadStatus::kExit : LoadStatus::kException, raised, raised.line);
    return false;
  }

  PyRef Compile() {
    if (spec_.program.find('\0') != std::string::npos) {
      PyErr_SetString(PyExc_SyntaxError, "source code cannot contain null bytes");
      return PyRef();
    }
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    flags.cf_flags = PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE;
    flags.cf_feature_version = PY_MINOR_VERSION;
    return PyRef(
        Py_CompileStringExFlags(spec_.program.c_str(), kFileName, Py_file_input, &flags, -1));
  }

  // One request, answered. False: the channel is broken or the tester is done.
  bool Serve(const std::string& frame) {
    Decoder decoder(frame, &hooks_, TransferLimits());
    uint8_t kind, operation;
    uint64_t number, handle;
    std::string_view name;
    if (!decoder.GetByte(&kind) || !decoder.GetByte(&operation) || !decoder.GetVarint(&number) ||
        !decoder.GetVarint(&handle) || !decoder.GetBytes(&name)) {
      return false;
    }
    size_t head = decoder.position();
    PyRef args(decoder.Get());
    PyRef kwargs(args ? decoder.Get() : nullptr);
    if (!kwargs || !decoder.Finish() || !PyTuple_Check(args.get())) return false;
    if (static_cast<Operation>(operation) == Operation::kExit) {
      exited_ = true;
      const bool changed = AnyGivenHasChanged();
      exit_code_ = FinishPython(0);
      EndIfForked();
      PyRef answer = PyRef::Borrow(changed ? Py_True : Py_False);
      Answer(number, answer.get(), nullptr, nullptr, nullptr);
      return false;
    }
    PyRef value(
        Do(static_cast<Operation>(operation), handle, std::string(name), args.get(), kwargs.get()));
    EndIfForked();
    if (!value) return SendRaised(number, TakeException());
    if (static_cast<Operation>(operation) != Operation::kGlobals) {
      NoteGiven(value.get());
      NoteGiven(args.get());
    }
    // The arguments are sent back only if they no longer read as they came.
    Encoder again(&hooks_, TransferLimits());
    bool same = again.Put(args.get()) && again.Put(kwargs.get()) && again.Finish() &&
                std::string_view(frame).substr(head) == again.bytes();
    // What is returned may be an argument itself, and is that very object for the tests too.
    if (same) return Answer(number, value.get(), &decoder, nullptr, nullptr);
    return Answer(number, value.get(), &decoder, args.get(), kwargs.get());
  }

  // What was handed out is a copy for the tests. Whether it would have become something else in one process is told at the end.
  void NoteGiven(PyObject* value) {
    if (!MayChange(value) || given_bytes_ > kGivenBytesMax) return;
    std::string bytes = EncodedNow(value);
    given_bytes_ += bytes.size();
    if (!bytes.empty() && given_bytes_ <= kGivenBytesMax)
      given_.emplace_back(PyRef::Borrow(value), std::move(bytes));
  }

  // What is too long to be looked at twice is left out.
  static bool MayChange(PyObject* value) {
    if (value == Py_None || PyLong_Check(value) || PyFloat_Check(value) || PyComplex_Check(value) ||
        PyUnicode_Check(value) || PyBytes_Check(value) || PyType_Check(value))
      return false;
    if (PyTuple_CheckExact(value)) {
      const Py_ssize_t size = PyTuple_GET_SIZE(value);
      for (Py_ssize_t i = 0; i < std::min(size, kGivenItemsMax); ++i) {
        if (MayChange(PyTuple_GET_ITEM(value, i))) return size <= kGivenItemsMax;
      }
      return false;
    }
    if (Py_TYPE(value)->tp_as_sequence == nullptr || PyCallable_Check(value)) return false;
    const bool builtin = (Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0;
    const Py_ssize_t size = builtin ? PyObject_Size(value) : 0;
    if (size < 0) PyErr_Clear();
    return size >= 0 && size <= kGivenItemsMax;
  }

  // Empty if it cannot cross.
  std::string EncodedNow(PyObject* value) {
    Encoder encoder(&hooks_, TransferLimits());
    return encoder.Put(value) && encoder.Finish() ? std::move(encoder.bytes()) : std::string();
  }

  bool AnyGivenHasChanged() {
    return std::any_of(given_.begin(), given_.end(), [this](const auto& given) {
      return EncodedNow(given.first.get()) != given.second;
    });
  }

  bool Answer(uint64_t number, PyObject* value, Decoder* request, PyObject* args,
              PyObject* kwargs) {
    Encoder encoder(&hooks_, TransferLimits());
    encoder.bytes().push_back(static_cast<char>(Frame::kAnswer));
    PutVarint(number, &encoder.bytes());
    if (request != nullptr) encoder.SetOrigins(request->objects());
    bool ok = encoder.Put(value);
    encoder.bytes().push_back(args != nullptr ? 1 : 0);
    if (ok && args != nullptr) ok = encoder.Put(args) && encoder.Put(kwargs);
    if (ok && encoder.Finish()) return Write(encoder.bytes());
    Raised raised;
    raised.type = encoder.too_large() ? "ValueTooLarge" : "ValueError";
    raised.message = encoder.error();
    return SendRaised(number, std::move(raised));
  }

  bool SendRaised(uint64_t number, Raised raised) {
    std::string body(1, static_cast<char>(Frame::kRaised));
    PutVarint(number, &body);
    body.push_back(raised.exit ? 1 : 0);
    PutBytes(raised.type, &body);
    PutBytes(raised.message, &body);
    PutVarint(
        raised.line > spec_.first_line ? static_cast<uint64_t>(raised.line - spec_.first_line) : 0,
        &body);
    PutBytes(raised.value ? NearestBuiltinException(Py_TYPE(raised.value.get())) : "ValueError",
             &body);
    PutClasses(raised.value.get(), &body);
    auto told = told_.find(raised.value.get());
    PutVarint(told == told_.end() ? 0 : told->second, &body);
    // The exception's arguments where they can cross, and what one of its own class holds beside them; else its text.
    auto* error = raised.value && PyExceptionInstance_Check(raised.value.get())
                      ? reinterpret_cast<PyBaseExceptionObject*>(raised.value.get())
                      : nullptr;
    if (error != nullptr && error->args != nullptr && PyTuple_Check(error->args)) {
      bool own = (Py_TYPE(error)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
      PyRef empty(PyDict_New());
      PyObject* fields = !own ? Py_None : error->dict != nullptr ? error->dict : empty.get();
      for (PyObject* with : {fields, own ? empty.get() : Py_None}) {
        Encoder parts(&hooks_, TransferLimits());
        if (parts.Put(error->args) && parts.Put(with) && parts.Finish())
          return Write(body + parts.bytes());
      }
    }
    Encoder text(&hooks_, TransferLimits());
    PyRef message(PyUnicode_DecodeUTF8(raised.message.data(), raised.message.size(), "replace"));
    PyRef tuple(PyTuple_Pack(1, message.get()));
    return tuple && text.Put(tuple.get()) && text.Put(Py_None) && text.Finish() &&
           Write(body + text.bytes());
  }

  // The numbers of the program's own classes of an exception, so that a test can catch it by their names.
  void PutClasses(PyObject* exception, std::string* body) {
    std::vector<uint64_t> ids;
    PyObject* mro = exception != nullptr ? Py_TYPE(exception)->tp_mro : nullptr;
    for (Py_ssize_t i = 0; mro != nullptr && i < PyTuple_GET_SIZE(mro) && ids.size() < kMaxClasses;
         ++i) {
      PyObject* base = PyTuple_GET_ITEM(mro, i);
      bool own = PyExceptionClass_Check(base) &&
                 (reinterpret_cast<PyTypeObject*>(base)->tp_flags & Py_TPFLAGS_HEAPTYPE);
      uint64_t id = 0;
      uint8_t flags = 0;
      std::string about;
      if (own && hooks_.Export(base, &id, &flags, &about) == Foreign::kHandle) ids.push_back(id);
    }
    PutVarint(ids.size(), body);
    for (uint64_t id : ids) PutVarint(id, body);
  }

  // The answer to a callback.
  PyObject* TakeAnswer(const std::string& frame) {
    Decoder decoder(frame, &hooks_, TransferLimits());
    uint8_t kind, exit;
    uint64_t number, line;
    std::string_view type, message, nearest;
    if (!decoder.GetByte(&kind) || !decoder.GetVarint(&number)) _exit(kProtocolExit);
    if (kind == static_cast<uint8_t>(Frame::kAnswer)) {
      PyObject* value = decoder.Get();
      uint8_t changed;
      if (value == nullptr || !decoder.GetByte(&changed) || !decoder.Finish()) _exit(kProtocolExit);
      return value;
    }
    uint64_t told;
    if (!decoder.GetByte(&exit) || !decoder.GetBytes(&type) || !decoder.GetBytes(&message) ||
        !decoder.GetVarint(&line) || !decoder.GetBytes(&nearest) || !decoder.GetVarint(&told)) {
      _exit(kProtocolExit);
    }
    PyObject* exception = BuiltinException(std::string(nearest));
    if (exception == nullptr) exception = PyExc_Exception;
    PyRef args;
    Decoder inner(std::string_view(frame).substr(decoder.position()), &hooks_, TransferLimits());
    if (!decoder.AtEnd()) args = PyRef(inner.Get());
    if (args && (!PyTuple_Check(args.get()) || !inner.Finish())) args = PyRef();
    PyRef value(args ? PyObject_Call(exception, args.get(), nullptr) : nullptr);
    PyErr_Clear();
    if (!value) value = PyRef(PyObject_CallFunction(exception, "s", std::string(message).c_str()));
    if (!value) return nullptr;
    told_.emplace(Py_NewRef(value.get()), told);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(value.get())), value.get());
    return nullptr;
  }

  PyObject* Do(Operation operation, uint64_t handle, const std::string& name, PyObject* args,
               PyObject* kwargs);
  PyObject* Globals(PyObject* names);
  PyObject* Setup(PyObject* args);
  PyObject* RunBeside(PyObject* spec);
  PyObject* Capture(bool start);

  int requests_fd_;
  int answers_fd_;
  CandidateSpec spec_;
  pid_t pid_;
  BoxHooks hooks_;
  // Exceptions of the tester's that callbacks raised here, with their numbers there; kept.
  std::unordered_map<PyObject*, uint64_t> told_;
  // Containers that were handed out, each with what it was then.
  std::vector<std::pair<PyRef, std::string>> given_;
  size_t given_bytes_ = 0;
  PyObject* beside_ = nullptr;    // the module of py_beside.py, where tests run here
  PyObject* captured_ = nullptr;  // standard output while it is kept
  PyObject* real_stdout_ = nullptr;
  std::recursive_mutex turn_;
  uint64_t callbacks_ = 0;
  bool exited_ = false;
  int exit_code_ = 0;
};

PyObject* Box::Globals(PyObject* names) {
  Py_ssize_t count = PyTuple_GET_SIZE(names);
  PyRef result(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count && result; ++i) {
    PyObject* found = PyDict_GetItemWithError(hooks_.globals, PyTuple_GET_ITEM(names, i));
    PyObject* pair =
        PyTuple_Pack(2, found != nullptr ? Py_True : Py_False, found != nullptr ? found : Py_None);
    if (pair == nullptr) return nullptr;
    PyTuple_SET_ITEM(result.get(), i, pair);
  }
  return result.release();
}

// Arguments: marshalled statements, the entry point, what py_beside.py's start() wants or None. A statement that needs the program
// ends it: the tests' own run of the setup comes later.
PyObject* Box::Setup(PyObject* args) {
  PyObject *codes, *entry, *before;
  if (!PyArg_ParseTuple(args, "O!OO", &PyTuple_Type, &codes, &entry, &before)) return nullptr;
  if (before != Py_None) {
    beside_ = NewBesideModule();
    PyRef started(beside_ != nullptr ? PyObject_CallMethod(beside_, "start", "O", before)
                                     : nullptr);
    return started ? PyObject_CallMethod(beside_, "run_setup", "OO", codes, entry) : nullptr;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(codes); ++i) {
    char* bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(codes, i), &bytes, &size) != 0) return nullptr;
    PyRef code(PyMarshal_ReadObjectFromString(bytes, size));
    PyRef done(code ? PyEval_EvalCode(code.get(), hooks_.globals, hooks_.globals) : nullptr);
    if (!done) {
      PyErr_Clear();
      break;
    }
  }
  Py_RETURN_NONE;
}

PyObject* Box::RunBeside(PyObject* spec) {
  if (beside_ == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "nothing was set up");
    return nullptr;
  }
  PyRef text(PyUnicode_DecodeUTF8(spec_.program.data(),
                                  static_cast<Py_ssize_t>(spec_.program.size()), "replace"));
  return text ? PyObject_CallMethod(beside_, "run", "OO", spec, text.get()) : nullptr;
}

// Keeps what the program prints through sys.stdout, or gives it back.
PyObject* Box::Capture(bool start) {
  if (start) {
    PyRef io(PyImport_ImportModule("io"));
    Py_XDECREF(captured_);
    captured_ = io ? PyObject_CallMethod(io.get(), "StringIO", nullptr) : nullptr;
    if (captured_ == nullptr) return nullptr;
    if (real_stdout_ == nullptr) real_stdout_ = Py_XNewRef(PySys_GetObject("stdout"));
    return PySys_SetObject("stdout", captured_) == 0 ? Py_NewRef(Py_None) : nullptr;
  }
  if (real_stdout_ != nullptr && PySys_SetObject("stdout", real_stdout_) != 0) return nullptr;
  Py_CLEAR(real_stdout_);
  return captured_ != nullptr ? PyObject_CallMethod(captured_, "getvalue", nullptr)
                              : PyUnicode_FromString("");
}

// The answer to "the next one": a tuple of it, or of what the end says.
PyObject* NextAnswer(PySendResult result, PyObject* value) {
  PyRef keep(value);
  if (result == PYGEN_ERROR) return nullptr;
  if (result == PYGEN_NEXT) return PyTuple_Pack(1, value);
  return value == Py_None ? PyTuple_New(0) : PyTuple_Pack(2, Py_None, value);
}

PyObject* Next(PyObject* iterator) {
  PyObject* value = Py_TYPE(iterator)->tp_iternext(iterator);
  if (value != nullptr) return NextAnswer(PYGEN_NEXT, value);
  if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_StopIteration)) return nullptr;
  PyObject *type = nullptr, *error = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &error, &traceback);
  PyErr_NormalizeException(&type, &error, &traceback);
  PyRef keep_type(type), keep_error(error), keep_traceback(traceback);
  PyObject* said = error != nullptr && PyErr_GivenExceptionMatches(error, PyExc_StopIteration)
                       ? reinterpret_cast<PyStopIterationObject*>(error)->value
                       : nullptr;
  return NextAnswer(PYGEN_RETURN, Py_NewRef(said != nullptr ? said : Py_None));
}

PyObject* Box::Do(Operation operation, uint64_t handle, const std::string& name, PyObject* args,
                  PyObject* kwargs) {
  if (operation == Operation::kGlobals) return Globals(args);
  if (operation == Operation::kSetup) return Setup(args);
  if (operation == Operation::kBeside && PyTuple_GET_SIZE(args) == 1)
    return RunBeside(PyTuple_GET_ITEM(args, 0));
  if (operation == Operation::kCapture)
    return Capture(PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) == Py_True);
  PyObject* object = hooks_.Object(handle);
  PyObject* first = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : Py_None;
  PyObject* second = PyTuple_GET_SIZE(args) > 1 ? PyTuple_GET_ITEM(args, 1) : Py_None;
  auto done = [](int status) { return status < 0 ? nullptr : Py_NewRef(Py_None); };
  if (object == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "no such object");
    return nullptr;
  }
  switch (operation) {
    case Operation::kCall:
      return PyObject_Call(object, args, PyDict_Check(kwargs) ? kwargs : nullptr);
    case Operation::kGetAttribute:
      return PyObject_GetAttrString(object, name.c_str());
    case Operation::kSetAttribute:
      return done(PyObject_SetAttrString(object, name.c_str(), first));
    case Operation::kIterate:
      return PyObject_GetIter(object);
    case Operation::kNext: {
      if (!PyIter_Check(object)) break;
      return Next(object);
    }
    case Operation::kSend: {
      PyObject* value = nullptr;
      PySendResult result = PyIter_Send(object, first, &value);
      return NextAnswer(result, value);
    }
    case Operation::kAwait: {
      PyRef asyncio(PyImport_ImportModule("asyncio"));
      return asyncio ? PyObject_CallMethod(asyncio.get(), "run", "O", object) : nullptr;
    }
    case Operation::kLength: {
      Py_ssize_t length = PyObject_Size(object);
      return length < 0 ? nullptr : PyLong_FromSsize_t(length);
    }
    case Operation::kTruth: {
      int truth = PyObject_IsTrue(object);
      return truth < 0 ? nullptr : PyBool_FromLong(truth);
    }
    case Operation::kGetItem:
      return PyObject_GetItem(object, first);
    case Operation::kSetItem:
      return done(PyObject_SetItem(object, first, second));
    case Operation::kDeleteItem:
      return done(PyObject_DelItem(object, first));
    case Operation::kIsInstance: {
      int is = PyObject_IsInstance(first, object);
      return is < 0 ? nullptr : PyBool_FromLong(is);
    }
    case Operation::kIsSubclass: {
      int is = PyObject_IsSubclass(first, object);
      return is < 0 ? nullptr : PyBool_FromLong(is);
    }
    default:
      break;
  }
  PyErr_SetString(PyExc_TypeError, "the object does not support this");
  return nullptr;
}

PyObject* CallCallback(PyObject* self, PyObject* args, PyObject* kwargs) {
  return g_box->CallBack(reinterpret_cast<CallbackObject*>(self)->id, args, kwargs);
}

// The next of an iterator of the tests', to which a value may have been sent; null without an error at its end.
PyObject* NextAfter(PyObject* self, PyObject* args) {
  PyRef answer(args != nullptr
                   ? g_box->CallBack(reinterpret_cast<CallbackObject*>(self)->id, args, nullptr)
                   : nullptr);
  bool more = answer && PyTuple_Check(answer.get()) && PyTuple_GET_SIZE(answer.get()) == 1;
  return more ? Py_NewRef(PyTuple_GET_ITEM(answer.get(), 0)) : nullptr;
}

PyObject* NextOfCallback(PyObject* self) {
  PyRef none(PyTuple_New(0));
  return NextAfter(self, none.get());
}

PyObject* SendToCallback(PyObject* self, PyObject* value) {
  PyRef args(PyTuple_Pack(1, value));
  PyObject* next = NextAfter(self, args.get());
  if (next == nullptr && PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_StopIteration);
  return next;
}

// A program and a call of it, as a tester would ask: what they make the interpreter note down for good (names, versions of types,
// caches) is noted in the zygote, and not once more by each box on pages of its own.
constexpr char kRehearsed[] = R"(from typing import List, Dict, Optional
import math
from collections import Counter
class Thing:
    """Text."""
    limit = 3
    def __init__(self, size):
        self.size = size
    def grow(self, by=1):
        self.size += by
        return self.size
def solve(a: List[int], b: Optional[str] = None) -> List[str]:
    """Text."""
    total, seen, words = 0, set(), {}
    for i, x in enumerate(sorted(a, key=lambda v: -v)):
        if x > 1 and i % 2 == 0 or x in seen:
            total += x * 2.5
        seen.add(x)
        words[x] = words.get(x, 0) + 1
    thing = Thing(len(a))
    while thing.grow() < 4:
        pass
    text = ",".join(str(v).strip().lower() for v in a)
    for left, right in zip(a, a[1:]):
        total = max(total, min(left, right), abs(left // 2), int(math.sqrt(right)))
    try:
        int("x")
    except ValueError as e:
        str(e)
    parts = text.split(",")
    parts.append("%d" % total)
    parts.extend([f"{total:.2f}", text.upper().replace("1", "2")[::-1], chr(ord("a") + 1)])
    return [w for w in parts if w.isdigit() or len(w) > 1] + list(map(str, range(3)))[:sum(a) % 2]
)";

std::string RehearsedRequest(Operation operation, uint64_t number, uint64_t handle,
                             PyObject* args) {
  BoxHooks hooks;
  Encoder request(&hooks, TransferLimits());
  std::string& bytes = request.bytes();
  bytes.push_back(static_cast<char>(Frame::kRequest));
  bytes.push_back(static_cast<char>(operation));
  PutVarint(number, &bytes);
  PutVarint(handle, &bytes);
  PutBytes("", &bytes);
  return request.Put(args) && request.Put(Py_None) && request.Finish() ? bytes : "";
}

// Both pipes hold all of it at once.
bool Rehearse() {
  int asked[2], answered[2];
  if (pipe2(asked, O_CLOEXEC) != 0 || pipe2(answered, O_CLOEXEC) != 0) return false;
  PyRef names(Py_BuildValue("(s)", "solve"));
  PyRef args(Py_BuildValue("([iii]s)", 3, 1, 2, "text"));
  bool ok = names && args;
  for (uint64_t number = 1; ok && number <= 3; ++number) {
    const bool first = number == 1;
    ok =
        WriteFrame(asked[1], RehearsedRequest(first ? Operation::kGlobals : Operation::kCall,
                                              number, first ? 0 : 1, (first ? names : args).get()));
  }
  close(asked[1]);
  CandidateSpec spec;
  spec.program = kRehearsed;
  spec.module_name = "rehearsed";
  ok = ok && Box(asked[0], answered[1], spec).Run() == 0;
  for (int fd : {asked[0], answered[0], answered[1]}) close(fd);
  return PyDict_DelItemString(PyImport_GetModuleDict(), "rehearsed") == 0 && ok;
}

}  // namespace

bool PrepareCandidateZygote() {
  if (!PrepareTransfer()) {
    PyErr_Print();
    return false;
  }
  if (g_beside_code == nullptr) {
    g_beside_code = Py_CompileString(kPyBesideSource, "<assay beside>", Py_file_input);
    if (g_beside_code == nullptr) {
      PyErr_Print();
      return false;
    }
  }
  if (g_callback_type == nullptr) {
    g_callback_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_callback_spec));
    g_iterator_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_iterator_spec));
  }
  return g_callback_type != nullptr && g_iterator_type != nullptr && Rehearse();
}

int RunCandidate(int requests_fd, int answers_fd, std::string_view spec_bytes) {
  CandidateSpec spec;
  if (!CandidateSpec::Decode(spec_bytes, &spec)) return kProtocolExit;
  Box box(requests_fd, answers_fd, std::move(spec));
  g_box = &box;
  return box.Run();
}

}  // namespace assay::jail
