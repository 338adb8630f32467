// The tester's side of the judge: the C++ half, which speaks with the box and decodes what it says. The other half, which knows
// what a test is, is py_tester.py. Nothing of the box's is executed here.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "sandbox/jail/py_beside_source.h"
#include "sandbox/jail/py_channel.h"
#include "sandbox/jail/py_harness.h"
#include "sandbox/jail/py_tester_source.h"
#include "sandbox/jail/py_transfer.h"

namespace assay::jail {
namespace {

constexpr size_t kMessageSlack = size_t{1} << 20;
constexpr size_t kMaxReplaced = 16;

// Classes of py_tester.py, set once by its setup().
struct Classes {
  PyObject* handle = nullptr;
  PyObject* make_handle = nullptr;
  PyObject* broken = nullptr;
  PyObject* exit = nullptr;
  PyObject* unsupported = nullptr;
  PyObject* make_exception = nullptr;
};
Classes g_classes;

class TesterHooks : public TransferHooks {
 public:
  // While a request of our own is read again for a report, the roles of the numbers are the other way round.
  bool replay = false;
  // While it is read what the program hands to a function of the tests'.
  bool of_callback = false;

  ~TesterHooks() override {
    for (auto& [id, handle] : handles_) Py_DECREF(handle);
    for (PyObject* callback : callbacks_) Py_DECREF(callback);
    for (PyObject* error : raised_) Py_DECREF(error);
    for (auto& [name, type] : records_) Py_DECREF(type);
  }

  // `of_prompt`: the task is about them, and the program's own text has them too. `shared`: names of those that the box has been
  // given, with their methods.
  void SetRecords(PyObject* dict, bool of_prompt, PyObject* shared) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
      const char* name = PyUnicode_AsUTF8(key);
      if (name == nullptr || !PyType_Check(value)) continue;
      Py_INCREF(value);
      records_[name] = value;
      auto* type = reinterpret_cast<PyTypeObject*>(value);
      record_names_[type] = name;
      if (of_prompt) of_prompt_.insert(type);
      if (PySet_Contains(shared, key) == 1) shared_.insert(type);
    }
  }

  Foreign Export(PyObject* value, uint64_t* id, uint8_t* flags, std::string* about) override {
    if (PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(g_classes.handle))) {
      PyRef number(PyObject_GetAttrString(value, "_assay_id"));
      *id = number ? PyLong_AsUnsignedLongLong(number.get()) : 0;
      return PyErr_Occurred() ? Foreign::kNone : Foreign::kReturned;
    }
    if (PyExceptionClass_Check(value) && OwnNumber(value, id)) return Foreign::kReturned;
    // A file iterates too, but is more than its lines; a bare object is only itself.
    const bool iterator = PyIter_Check(value) && !PyObject_HasAttrString(value, "close");
    const bool generator = PyGen_CheckExact(value);
    const bool bare = Py_TYPE(value) == &PyBaseObject_Type;
    if (!PyCallable_Check(value) && !iterator && !generator && !bare) return Foreign::kNone;
    *flags = iterator || generator ? kHandleIterator : 0;
    if (PyCallable_Check(value)) *about = About(value);
    auto [known, fresh] = callback_ids_.emplace(value, callbacks_.size() + 1);
    if (fresh) callbacks_.push_back(Py_NewRef(value));
    *id = known->second;
    return Foreign::kCallback;
  }

  PyObject* Import(Foreign kind, uint64_t id, uint8_t flags, std::string_view about) override {
    if (replay) kind = kind == Foreign::kReturned ? Foreign::kHandle : Foreign::kReturned;
    if (kind == Foreign::kReturned) return Py_XNewRef(Callback(id));
    if (kind != Foreign::kHandle) return nullptr;
    auto found = handles_.find(id);
    if (found != handles_.end()) return Py_NewRef(found->second);
    PyObject* made = PyObject_CallFunction(
        g_classes.make_handle, "Ki", static_cast<unsigned long long>(id), static_cast<int>(flags));
    if (made == nullptr) return nullptr;
    handles_.emplace(id, Py_NewRef(made));
    if ((flags & kHandleBuiltin) != 0) builtins_[made] = about;
    return made;
  }

  std::string RecordName(PyTypeObject* type) override {
    auto found = record_names_.find(type);
    if (found != record_names_.end()) return found->second;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) return "";
    // A class of the tests' own: its instances cross from the moment that a test hands one over.
    PyObject* module = PyDict_GetItemString(type->tp_dict, "__module__");
    bool own = module != nullptr && PyUnicode_Check(module) &&
               PyUnicode_CompareWithASCIIString(module, "tests") == 0;
    if (!own || records_.count(type->tp_name) != 0) return "";
    records_[type->tp_name] = Py_NewRef(reinterpret_cast<PyObject*>(type));
    return record_names_[type] = type->tp_name;
  }
  PyObject* RecordClass(const std::string& name) override {
    auto found = records_.find(name);
    return found == records_.end() ? nullptr : found->second;
  }
  bool IsTester() const override { return true; }
  PyObject* EnumStandIn(const std::string&, const std::string&, PyObject*) override {
    return nullptr;
  }

  // What the program has put in the place of a function or an object that the tests' own objects use, or of a constant of their
  // class, may decide a test; so may what it writes past the methods of an object. Data that takes the place of data elsewhere
  // is what programs are asked for.
  void Replaced(PyObject* holder, PyObject* name, PyObject* before, PyObject* after) override {
    const bool is_field = record_names_.count(Py_TYPE(holder)) != 0;
    if (before == after ||
        (before != nullptr && (IsHandle(before) || IsSameBuiltin(before, after))))
      return;
    const bool guarded = is_field && (GuardOf(Py_TYPE(holder)) != Guard::kNone ||
                                      SaysWhatIsWritten(Py_TYPE(holder)));
    if (before == nullptr) {
      if (guarded) Mark(holder, name);
      return;
    }
    PyRef fields(is_field ? PyObject_GenericGetDict(holder, nullptr) : nullptr);
    const bool hides = fields && PyDict_GetItemWithError(fields.get(), name) != before;
    const bool links = IsLink(Py_TYPE(holder), before) && IsLink(Py_TYPE(holder), after);
    if (Decides(before, after, is_field) || (hides && before != Py_None) ||
        (guarded && !links && DataDiffers(before, after)))
      Mark(holder, is_field ? name : nullptr);
  }

  // An empty list of checks finds nothing.
  void Lost(PyObject* holder, PyObject* before, const std::vector<PyRef>& left) override {
    const bool manages =
        HasMethods(Py_TYPE(before)) && managing_.count(Py_TYPE(before)->tp_name) != 0;
    if (IsHandle(before) || (!PyCallable_Check(before) && !manages)) return;
    for (const PyRef& item : left) {
      if (IsSameBuiltin(before, item.get())) return;
    }
    Mark(holder, nullptr);
  }

  void Touched(PyTypeObject* owner, PyObject* container) override {
    MarkAs(std::string("a ") + Py_TYPE(container)->tp_name + " of " + owner->tp_name);
  }

  void Rewritten(PyObject* container, PyObject* before, const std::vector<PyRef>& items) override {
    if (!watcher_) return;
    PyRef after(PyList_New(0));
    for (const PyRef& item : items) {
      if (!after || !item || PyList_Append(after.get(), item.get()) != 0) return PyErr_Clear();
    }
    Watched(container, before, after.get());
  }

  // The program has asked an iterator of the tests' for its next.
  void Consumed(PyObject* iterator) {
    if (watcher_) Watched(iterator, Py_None, Py_None);
  }

  // Is told what the program does to containers and iterators of the tests': (it, what it held, what it holds), lists or None.
  void SetWatcher(PyObject* function) { watcher_ = PyRef::Borrow(function); }

  void Reclassed(PyObject* record) override {
    MarkAs(std::string(Py_TYPE(record)->tp_name) + ".__class__");
  }

  Guard GuardOf(PyTypeObject* type) override {
    if (of_prompt_.count(type) != 0 || !HasMethods(type)) return Guard::kNone;
    return shared_.count(type) != 0 ? Guard::kShown : Guard::kHidden;
  }

  // What a function of the tests' is given is what the program says of their object.
  void Made(PyTypeObject* type) override {
    if (of_callback && GuardOf(type) == Guard::kHidden)
      MarkAs(std::string("a copy of ") + type->tp_name);
  }

  void Shown(PyObject* record) override {
    MarkAs(std::string("private fields of ") + Py_TYPE(record)->tp_name);
  }

  // Names of classes whose methods change their objects.
  void SetManaging(PyObject* names) {
    PyObject* name;
    PyRef iterator(PyObject_GetIter(names));
    while (iterator && (name = PyIter_Next(iterator.get())) != nullptr) {
      const char* text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : nullptr;
      if (text != nullptr) managing_.insert(text);
      Py_DECREF(name);
    }
    PyErr_Clear();
  }
  const std::set<std::string>& replaced() const { return replaced_; }

  // The number of an exception of the tester's that is told to the box, which may let it come back.
  uint64_t Told(PyObject* error) {
    raised_.push_back(Py_NewRef(error));
    return raised_.size();
  }
  PyObject* ToldError(uint64_t id) const {
    return id == 0 || id > raised_.size() ? nullptr : raised_[id - 1];
  }

  PyObject* Callback(uint64_t id) const {
    return id == 0 || id > callbacks_.size() ? nullptr : callbacks_[id - 1];
  }
  PyObject* Handle(uint64_t id) const {
    auto found = handles_.find(id);
    return found == handles_.end() ? nullptr : found->second;
  }

 private:
  void Watched(PyObject* object, PyObject* before, PyObject* after) {
    PyRef done(PyObject_CallFunctionObjArgs(watcher_.get(), object, before, after, nullptr));
    PyErr_Clear();
  }

  static bool IsHandle(PyObject* value) {
    return PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(g_classes.handle)) != 0;
  }

  // A built-in function comes back as a handle of the box's.
  bool IsSameBuiltin(PyObject* before, PyObject* after) const {
    const char* name = BuiltinFunctionName(before);
    auto found = builtins_.find(after);
    return name != nullptr && found != builtins_.end() && found->second == name;
  }

  bool Decides(PyObject* before, PyObject* after, bool is_field) const {
    if (PyCallable_Check(before)) return is_field || PyCallable_Check(after) || IsHandle(after);
    // Of one class they do the same: a list's node for another.
    return Py_TYPE(before) != Py_TYPE(after) && HasMethods(Py_TYPE(before)) &&
           (IsHandle(after) || record_names_.count(Py_TYPE(after)) != 0);
  }

  // `name`: of a field; null: what it holds.
  void Mark(PyObject* holder, PyObject* name) {
    const char* field = name != nullptr ? PyUnicode_AsUTF8(name) : nullptr;
    PyErr_Clear();
    MarkAs(field != nullptr ? std::string(Py_TYPE(holder)->tp_name) + "." + field
                            : std::string("an item of a ") + Py_TYPE(holder)->tp_name);
  }
  void MarkAs(std::string what) {
    if (replaced_.size() < kMaxReplaced) replaced_.insert(std::move(what));
  }

  // Whether objects of a class of the tests' do more than hold data.
  bool HasMethods(PyTypeObject* type) const {
    if (record_names_.count(type) == 0) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_mro); ++i) {
      auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(type->tp_mro, i));
      if ((base->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) continue;
      PyObject *name, *value;
      Py_ssize_t at = 0;
      while (PyDict_Next(base->tp_dict, &at, &name, &value)) {
        const bool method = PyFunction_Check(value) || Py_TYPE(value) == &PyProperty_Type ||
                            Py_TYPE(value) == &PyStaticMethod_Type ||
                            Py_TYPE(value) == &PyClassMethod_Type;
        const char* text = method ? PyUnicode_AsUTF8(name) : nullptr;
        if (text != nullptr && std::string_view(text).substr(0, 2) != "__") return true;
      }
    }
    return false;
  }

  // Whether the class itself says what may be written to its objects, which the box does not ask.
  static bool SaysWhatIsWritten(PyTypeObject* type) {
    return type->tp_setattro != PyObject_GenericSetAttr;
  }

  // What a function is called and says of itself.
  static std::string About(PyObject* function) {
    std::string text;
    for (const char* name : {"__name__", "__doc__"}) {
      PyRef part(PyObject_GetAttrString(function, name));
      const char* utf8 =
          part && PyUnicode_Check(part.get()) ? PyUnicode_AsUTF8(part.get()) : nullptr;
      PyErr_Clear();
      text.append(std::string_view(utf8 != nullptr ? utf8 : "").substr(0, 900));
      text.push_back('\0');
    }
    text.pop_back();
    return text;
  }

  // The number of a class that stands for one of the candidate's exceptions.
  static bool OwnNumber(PyObject* value, uint64_t* id) {
    PyObject* number =
        PyDict_GetItemString(reinterpret_cast<PyTypeObject*>(value)->tp_dict, "_assay_id");
    if (number == nullptr || !PyLong_Check(number)) return false;
    *id = PyLong_AsUnsignedLongLong(number);
    return PyErr_Occurred() == nullptr;
  }

  std::unordered_map<uint64_t, PyObject*> handles_;
  std::vector<PyObject*> callbacks_;
  std::unordered_map<PyObject*, uint64_t> callback_ids_;
  std::vector<PyObject*> raised_;
  std::unordered_map<std::string, PyObject*> records_;
  std::unordered_map<PyTypeObject*, std::string> record_names_;
  std::set<PyTypeObject*> of_prompt_;
  std::set<PyTypeObject*> shared_;
  std::set<std::string> managing_;
  std::set<std::string> replaced_;
  std::unordered_map<PyObject*, std::string> builtins_;  // handle -> what it is called
  PyRef watcher_;
};

std::string Printable(std::string_view bytes) {
  PyRef text(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace"));
  const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  PyErr_Clear();
  return utf8 != nullptr ? utf8 : "";
}

// ------------------------------------------------------------------------------------- the conversation with one box

class Conversation {
 public:
  Conversation(int answers_fd, int requests_fd)
      : answers_fd_(answers_fd), requests_fd_(requests_fd) {}

  // (status, type, message, line of the whole program, line of the completion); null: broken off.
  PyObject* Loaded() {
    std::string frame;
    if (!Read(&frame)) return nullptr;
    Decoder decoder(frame, &hooks_, limits_);
    uint8_t kind, status;
    std::string_view type, message;
    uint64_t line, own_line;
    if (!decoder.GetByte(&kind) || kind != static_cast<uint8_t>(Frame::kLoaded) ||
        !decoder.GetByte(&status) || !decoder.GetBytes(&type) || !decoder.GetBytes(&message) ||
        !decoder.GetVarint(&line) || !decoder.GetVarint(&own_line) || !decoder.AtEnd()) {
      return BreakOff("protocol_error", "the box's first words are odd");
    }
    return Py_BuildValue("issKK", static_cast<int>(status), Printable(type).c_str(),
                         Printable(message).c_str(), static_cast<unsigned long long>(line),
                         static_cast<unsigned long long>(own_line));
  }

  PyObject* Ask(int operation, uint64_t handle, const char* name, PyObject* args,
                PyObject* kwargs) {
    if (!broken_reason_.empty()) return RaiseBroken();
    uint64_t number = ++number_;
    Encoder request(&hooks_, limits_);
    std::string& bytes = request.bytes();
    bytes.push_back(static_cast<char>(Frame::kRequest));
    bytes.push_back(static_cast<char>(operation));
    PutVarint(number, &bytes);
    PutVarint(handle, &bytes);
    PutBytes(name, &bytes);
    size_t head = bytes.size();
    if (!request.Put(args) || !request.Put(kwargs) || !request.Finish()) {
      PyErr_SetString(g_classes.unsupported, request.error().c_str());
      return nullptr;
    }
    if (operation != static_cast<int>(Operation::kGlobals) &&
        operation != static_cast<int>(Operation::kSetup)) {
      ++asked_;
    }
    if (operation == static_cast<int>(Operation::kCall)) {
      last_request_ = bytes.substr(head);
      last_handle_ = handle;
      last_value_ = PyRef();
    }
    if (!WriteFrame(requests_fd_, bytes))
      return BreakOff("early_exit", "the program ended while it was tested");
    PyObject* value = Await(number, request);
    if (value != nullptr && operation == static_cast<int>(Operation::kCall)) {
      last_handle_ = handle;
      last_request_ = bytes.substr(head);
      last_value_ = PyRef::Borrow(value);
    }
    return value;
  }

  // (label, args, kwargs, value, whether it returned) of the last call, or None.
  PyObject* LastCall() {
    if (last_handle_ == 0) Py_RETURN_NONE;
    hooks_.replay = true;
    Decoder decoder(last_request_, &hooks_, limits_);
    PyRef args(decoder.Get());
    PyRef kwargs(args ? decoder.Get() : nullptr);
    bool ok = kwargs && decoder.Finish();
    hooks_.replay = false;
    if (!ok) Py_RETURN_NONE;
    PyRef empty(PyDict_New());
    PyObject* handle = hooks_.Handle(last_handle_);
    PyRef label(handle != nullptr ? PyObject_GetAttrString(handle, "_assay_label")
                                  : PyUnicode_FromString(""));
    PyErr_Clear();
    return PyTuple_Pack(5, label ? label.get() : Py_None, args.get(),
                        kwargs.get() == Py_None ? empty.get() : kwargs.get(),
                        last_value_ ? last_value_.get() : Py_None,
                        last_value_ ? Py_True : Py_False);
  }

  // (type, message, line) if `error` came out of the box, else False.
  PyObject* IsCandidates(PyObject* error) const {
    if (error != last_error_.get() || error == nullptr) Py_RETURN_FALSE;
    return Py_BuildValue("ssK", error_type_.c_str(), error_message_.c_str(),
                         static_cast<unsigned long long>(error_line_));
  }

  // Nothing more can be asked; always null with Broken set. The first reason stays.
  PyObject* BreakOff(const char* reason, std::string detail) {
    if (broken_reason_.empty()) {
      broken_reason_ = reason;
      broken_detail_ = std::move(detail);
    }
    return RaiseBroken();
  }
  PyObject* Broken() const {
    if (broken_reason_.empty()) Py_RETURN_NONE;
    return Py_BuildValue("ss", broken_reason_.c_str(), broken_detail_.c_str());
  }
  // Borrowed; null if there is none.
  PyObject* swallowed() const { return swallowed_.get(); }
  uint64_t asked() const { return asked_; }
  TesterHooks& hooks() { return hooks_; }

 private:
  PyObject* RaiseBroken() {
    PyErr_SetString(g_classes.broken, broken_detail_.c_str());
    return nullptr;
  }

  bool Read(std::string* frame) {
    ReadStatus status = ReadFrame(answers_fd_, limits_.bytes + kMessageSlack, frame, nullptr);
    if (status == ReadStatus::kOk && !frame->empty()) return true;
    if (status == ReadStatus::kTooLarge) {
      BreakOff("protocol_error", "a message is too large");
    } else {
      BreakOff("early_exit", "the program ended while it was tested");
    }
    return false;
  }

  PyObject* Await(uint64_t number, const Encoder& request) {
    PyRef failed;  // the first assertion of the tests that failed in a callback of this request
    while (true) {
      std::string frame;
      if (!Read(&frame)) return nullptr;
      switch (static_cast<Frame>(frame[0])) {
        case Frame::kAnswer:
          if (failed && !swallowed_) swallowed_ = std::move(failed);
          return TakeAnswer(number, request, frame);
        case Frame::kRaised: {
          PyObject* nothing = TakeRaised(number, frame);
          if (failed && !swallowed_ && last_error_.get() != failed.get())
            swallowed_ = std::move(failed);
          return nothing;
        }
        case Frame::kCallback:
          if (!AnswerCallback(frame)) return nullptr;
          if (!failed) failed = std::move(failed_);
          failed_ = PyRef();
          break;
        default:
          return BreakOff("protocol_error", "an unknown message");
      }
    }
  }

  PyObject* Malformed(const Decoder& decoder) {
    return BreakOff("protocol_error",
                    decoder.error().empty() ? "a message is malformed" : decoder.error());
  }

  PyObject* TakeAnswer(uint64_t number, const Encoder& request, const std::string& frame) {
    Decoder decoder(frame, &hooks_, limits_);
    decoder.SetOrigins(&request.objects(), &request);
    uint8_t kind, changed;
    uint64_t answered;
    if (!decoder.GetByte(&kind) || !decoder.GetVarint(&answered) || answered != number) {
      return Malformed(decoder);
    }
    PyRef value(decoder.Get());
    if (!value || !decoder.GetByte(&changed)) return Malformed(decoder);
    PyRef args(changed != 0 ? decoder.Get() : Py_NewRef(Py_None));
    PyRef kwargs(args && changed != 0 ? decoder.Get() : Py_NewRef(Py_None));
    if (!args || !kwargs || !decoder.Finish() || !decoder.AtEnd()) return Malformed(decoder);
    return value.release();
  }

  PyObject* TakeRaised(uint64_t number, const std::string& frame) {
    Decoder decoder(frame, &hooks_, limits_);
    uint8_t kind, exit;
    uint64_t answered, line;
    std::string_view type, message, nearest;
    if (!decoder.GetByte(&kind) || !decoder.GetVarint(&answered) || answered != number ||
        !decoder.GetByte(&exit) || !decoder.GetBytes(&type) || !decoder.GetBytes(&message) ||
        !decoder.GetVarint(&line) || !decoder.GetBytes(&nearest)) {
      return Malformed(decoder);
    }
    PyRef classes(PyTuple_New(0));
    uint64_t told;
    if (!TakeClasses(&decoder, &classes) || !decoder.GetVarint(&told)) return Malformed(decoder);
    // What follows are the exception's arguments, as a message of their own: their references count from there.
    Decoder inner(std::string_view(frame).substr(decoder.position()), &hooks_, limits_);
    PyRef args(inner.Get());
    PyRef fields(args ? inner.Get() : nullptr);
    if (!fields || !inner.Finish() || !inner.AtEnd() || !PyTuple_CheckExact(args.get()))
      return Malformed(inner);
    if (exit != 0) {
      PyErr_SetString(g_classes.exit, "the program tried to end itself");
      return nullptr;
    }
    error_type_ = Printable(type);
    error_message_ = Printable(message);
    error_line_ = line;
    if (told != 0) {  // a test's own, which went through the program
      PyObject* error = hooks_.ToldError(told);
      if (error == nullptr) return BreakOff("protocol_error", "an exception that nobody raised");
      last_error_ = PyRef::Borrow(error);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
      return nullptr;
    }
    PyObject* exception = BuiltinException(std::string(nearest));
    if (exception == nullptr) return BreakOff("protocol_error", "an exception of an unknown kind");
    PyRef own_class(
        PyObject_CallFunctionObjArgs(g_classes.make_exception, exception, classes.get(), nullptr));
    if (!own_class || !PyExceptionClass_Check(own_class.get())) {
      PyErr_Clear();
      return BreakOff("protocol_error", "an exception's classes are odd");
    }
    exception = own_class.get();
    PyRef value(PyObject_Call(exception, args.get(), nullptr));
    if (!value) {  // some classes want other arguments than the ones they keep
      PyErr_Clear();
      PyRef none(PyTuple_New(0));
      value = PyRef(reinterpret_cast<PyTypeObject*>(exception)->tp_new(
          reinterpret_cast<PyTypeObject*>(exception), args.get(), nullptr));
    }
    if (!value) return BreakOff("protocol_error", "an exception cannot be built");
    SetFields(value.get(), fields.get());
    last_error_ = PyRef::Borrow(value.get());
    PyErr_SetObject(exception, value.get());
    return nullptr;
  }

  // What an exception of the candidate's own class holds beside its arguments, and its text.
  void SetFields(PyObject* error, PyObject* fields) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_CheckExact(fields) && PyDict_Next(fields, &at, &key, &value)) {
      const char* name = PyUnicode_CheckExact(key) ? PyUnicode_AsUTF8(key) : nullptr;
      // What the interpreter itself keeps there is not the candidate's to set.
      bool own =
          name != nullptr && name[0] != '_' && !PyObject_HasAttrString(PyExc_BaseException, name);
      if (own) PyObject_GenericSetAttr(error, key, value);
      PyErr_Clear();
    }
    PyRef text(PyUnicode_FromString(error_message_.c_str()));
    PyRef dict(PyObject_GenericGetDict(error, nullptr));
    if (text && dict && PyDict_CheckExact(fields))
      PyDict_SetItemString(dict.get(), "_assay_text", text.get());
    PyErr_Clear();
  }

  // The local classes that stand for the candidate's own classes of an exception.
  bool TakeClasses(Decoder* decoder, PyRef* classes) {
    uint64_t count;
    if (!decoder->GetVarint(&count) || count > 8) return false;
    PyRef tuple(PyTuple_New(static_cast<Py_ssize_t>(count)));
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t id;
      if (!decoder->GetVarint(&id)) return false;
      PyRef local(hooks_.Import(Foreign::kHandle, id, kHandleClass | kHandleException, ""));
      if (!local || !PyExceptionClass_Check(local.get())) {
        PyErr_Clear();
        return false;
      }
      PyTuple_SET_ITEM(tuple.get(), i, local.release());
    }
    *classes = std::move(tuple);
    return true;
  }

  // The box calls a function that a test handed over. False with a Python error: broken off.
  bool AnswerCallback(const std::string& frame) {
    Decoder decoder(frame, &hooks_, limits_);
    uint8_t kind;
    uint64_t number, id;
    if (!decoder.GetByte(&kind) || !decoder.GetVarint(&number) || !decoder.GetVarint(&id)) {
      return Malformed(decoder) != nullptr;
    }
    hooks_.of_callback = true;
    PyRef args(decoder.Get());
    PyRef kwargs(args ? decoder.Get() : nullptr);
    PyObject* function = hooks_.Callback(id);
    const bool complete = kwargs && decoder.Finish() && decoder.AtEnd();
    hooks_.of_callback = false;
    if (!complete || function == nullptr || !PyTuple_CheckExact(args.get()) ||
        (kwargs.get() != Py_None && !PyDict_CheckExact(kwargs.get()))) {
      return Malformed(decoder) != nullptr;
    }
    const bool iterates = PyIter_Check(function) && !PyCallable_Check(function);
    if (iterates) hooks_.Consumed(function);
    PyRef value(iterates ? NextOf(function, args.get())
                         : PyObject_Call(function, args.get(),
                                         kwargs.get() == Py_None ? nullptr : kwargs.get()));
    if (!value) {
      if (PyErr_ExceptionMatches(g_classes.broken) || PyErr_ExceptionMatches(g_classes.exit) ||
          PyErr_ExceptionMatches(g_classes.unsupported)) {
        return false;
      }
      return SendCallbackError(number);
    }
    Encoder answer(&hooks_, limits_);
    answer.bytes().push_back(static_cast<char>(Frame::kAnswer));
    PutVarint(number, &answer.bytes());
    bool ok = answer.Put(value.get());
    answer.bytes().push_back(0);
    if (!ok || !answer.Finish()) {
      PyErr_SetString(g_classes.unsupported, answer.error().c_str());
      return false;
    }
    if (WriteFrame(requests_fd_, answer.bytes())) return true;
    BreakOff("early_exit", "the program ended while it was tested");
    return false;
  }

  // A tuple of the next, or of none at the end. With an argument it is sent to a generator.
  static PyObject* NextOf(PyObject* iterator, PyObject* args) {
    if (PyTuple_GET_SIZE(args) == 1 && PyGen_CheckExact(iterator)) {
      PyObject* sent = nullptr;
      const PySendResult result = PyIter_Send(iterator, PyTuple_GET_ITEM(args, 0), &sent);
      PyRef keep(sent);
      if (result == PYGEN_ERROR) return nullptr;
      return result == PYGEN_NEXT ? PyTuple_Pack(1, sent) : PyTuple_New(0);
    }
    PyRef next(PyIter_Next(iterator));
    if (next) return PyTuple_Pack(1, next.get());
    return PyErr_Occurred() ? nullptr : PyTuple_New(0);
  }

  bool SendCallbackError(uint64_t number) {
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyRef keep_type(type), keep_value(value), keep_traceback(traceback);
    PyRef text(value != nullptr ? PyObject_Str(value) : nullptr);
    const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
    PyErr_Clear();
    // What a test of the tests' own found is final, and says nothing of what it wanted.
    const bool is_assertion =
        PyErr_GivenExceptionMatches(value, PyExc_AssertionError) != 0 && value != last_error_.get();
    if (is_assertion) {
      if (traceback != nullptr) PyException_SetTraceback(value, traceback);
      failed_ = PyRef::Borrow(value);
      utf8 = nullptr;
    }
    std::string body(1, static_cast<char>(Frame::kRaised));
    PutVarint(number, &body);
    body.push_back(0);
    PutBytes("", &body);
    PutBytes(std::string_view(utf8 != nullptr ? utf8 : "").substr(0, 2000), &body);
    PutVarint(0, &body);
    PutBytes(value != nullptr ? NearestBuiltinException(Py_TYPE(value)) : "Exception", &body);
    PutVarint(value != nullptr ? hooks_.Told(value) : 0, &body);
    // Its arguments where they can cross, else its text alone.
    Encoder arguments(&hooks_, limits_);
    PyObject* own = value != nullptr && !is_assertion && PyExceptionInstance_Check(value)
                        ? reinterpret_cast<PyBaseExceptionObject*>(value)->args
                        : nullptr;
    if (own != nullptr && arguments.Put(own) && arguments.Finish()) body += arguments.bytes();
    if (WriteFrame(requests_fd_, body)) return true;
    BreakOff("early_exit", "the program ended while it was tested");
    return false;
  }

  int answers_fd_;
  int requests_fd_;
  TransferLimits limits_;
  TesterHooks hooks_;
  uint64_t number_ = 0;
  uint64_t asked_ = 0;
  std::string broken_reason_;
  std::string broken_detail_;
  std::string last_request_;
  uint64_t last_handle_ = 0;
  PyRef last_value_;
  PyRef last_error_;
  PyRef failed_;     // an assertion of the tests that the callback just answered with
  PyRef swallowed_;  // the first of those after which the program went on
  std::string error_type_;
  std::string error_message_;
  uint64_t error_line_ = 0;
};

Conversation* g_conversation = nullptr;

// --------------------------------------------------------------------------------------------- the module _assay_judge

Conversation* Current() {
  if (g_conversation == nullptr) PyErr_SetString(PyExc_RuntimeError, "no conversation");
  return g_conversation;
}

PyObject* ModuleSetup(PyObject*, PyObject* args) {
  if (!PyArg_ParseTuple(args, "OOOOOO", &g_classes.handle, &g_classes.make_handle,
                        &g_classes.broken, &g_classes.exit, &g_classes.unsupported,
                        &g_classes.make_exception)) {
    return nullptr;
  }
  for (PyObject* object : {g_classes.handle, g_classes.make_handle, g_classes.broken,
                           g_classes.exit, g_classes.unsupported, g_classes.make_exception}) {
    Py_INCREF(object);
  }
  Py_RETURN_NONE;
}

PyObject* ModuleAsk(PyObject*, PyObject* args) {
  int operation;
  unsigned long long handle;
  const char* name;
  PyObject *call_args, *call_kwargs;
  if (!PyArg_ParseTuple(args, "iKsO!O", &operation, &handle, &name, &PyTuple_Type, &call_args,
                        &call_kwargs)) {
    return nullptr;
  }
  Conversation* conversation = Current();
  if (conversation == nullptr) return nullptr;
  if (call_kwargs != Py_None && PyDict_Check(call_kwargs) && PyDict_Size(call_kwargs) == 0)
    call_kwargs = Py_None;
  return conversation->Ask(operation, handle, name, call_args, call_kwargs);
}

PyObject* ModuleLoaded(PyObject*, PyObject*) {
  return Current() != nullptr ? g_conversation->Loaded() : nullptr;
}
PyObject* ModuleBroken(PyObject*, PyObject*) {
  return Current() != nullptr ? g_conversation->Broken() : nullptr;
}
PyObject* ModuleLastCall(PyObject*, PyObject*) {
  return Current() != nullptr ? g_conversation->LastCall() : nullptr;
}
PyObject* ModuleSwallowed(PyObject*, PyObject*) {
  if (Current() == nullptr) return nullptr;
  PyObject* error = g_conversation->swallowed();
  return Py_NewRef(error != nullptr ? error : Py_None);
}
PyObject* ModuleReplaced(PyObject*, PyObject*) {
  if (Current() == nullptr) return nullptr;
  PyRef list(PyList_New(0));
  for (const std::string& what : g_conversation->hooks().replaced()) {
    PyRef text(PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "replace"));
    if (!list || !text || PyList_Append(list.get(), text.get()) != 0) return nullptr;
  }
  return list.release();
}
PyObject* ModuleWatch(PyObject*, PyObject* function) {
  if (Current() == nullptr) return nullptr;
  g_conversation->hooks().SetWatcher(function);
  Py_RETURN_NONE;
}
PyObject* ModuleAsked(PyObject*, PyObject*) {
  return Current() != nullptr ? PyLong_FromUnsignedLongLong(g_conversation->asked()) : nullptr;
}
PyObject* ModuleIsCandidates(PyObject*, PyObject* error) {
  return Current() != nullptr ? g_conversation->IsCandidates(error) : nullptr;
}
PyObject* ModuleBreakOff(PyObject*, PyObject* why) {
  const char* text = PyUnicode_AsUTF8(why);
  if (text == nullptr || Current() == nullptr) return nullptr;
  return g_conversation->BreakOff("protocol_error", text);
}
// records({name: class}, whether the prompt defines them, names of those that the box has, names of those whose methods change them)
PyObject* ModuleRecords(PyObject*, PyObject* args) {
  PyObject *dict, *shared, *managing;
  int of_prompt;
  if (!PyArg_ParseTuple(args, "O!pO!O!", &PyDict_Type, &dict, &of_prompt, &PySet_Type, &shared,
                        &PySet_Type, &managing) ||
      Current() == nullptr)
    return nullptr;
  g_conversation->hooks().SetRecords(dict, of_prompt != 0, shared);
  g_conversation->hooks().SetManaging(managing);
  Py_RETURN_NONE;
}

// Makes `dict` what it was when `copy` was taken, save for submodules that were imported since: those are not imported twice.
// Compares by identity, so that what is unchanged costs little.
bool RestoreDict(PyObject* dict, PyObject* copy) {
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(copy, &at, &key, &value)) {
    if (PyDict_GetItemWithError(dict, key) != value && PyDict_SetItem(dict, key, value) != 0)
      return false;
  }
  if (PyDict_Size(dict) == PyDict_Size(copy)) return true;
  PyRef keys(PyDict_Keys(dict));
  for (Py_ssize_t i = 0; keys && i < PyList_GET_SIZE(keys.get()); ++i) {
    key = PyList_GET_ITEM(keys.get(), i);
    value = PyDict_GetItemWithError(dict, key);
    bool keep = PyDict_Contains(copy, key) != 0 || (value != nullptr && PyModule_Check(value));
    if (!keep && PyDict_DelItem(dict, key) != 0) return false;
  }
  return keys && PyErr_Occurred() == nullptr;
}

// Contents of dicts as they were at one time. Which have not been touched since they were last as noted, their version tells.
struct Noted {
  PyObject* dict;
  PyObject* copy;
  uint64_t version;
};
using Notes = std::vector<Noted>;
constexpr char kNotesName[] = "_assay_judge.notes";

// 0: this interpreter keeps no versions.
uint64_t VersionOf(PyObject* dict) {
#if PY_VERSION_HEX < 0x030C0000
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#else
  (void)dict;
  return 0;
#endif
}

void FreeNotes(PyObject* capsule) {
  auto* notes = static_cast<Notes*>(PyCapsule_GetPointer(capsule, kNotesName));
  for (const Noted& noted : *notes) {
    Py_DECREF(noted.dict);
    Py_DECREF(noted.copy);
  }
  delete notes;
}

// note([dict, ..]): for restore().
PyObject* ModuleNote(PyObject*, PyObject* dicts) {
  if (!PyList_Check(dicts)) return PyErr_Format(PyExc_TypeError, "a list is wanted");
  auto notes = std::make_unique<Notes>();
  PyRef capsule(PyCapsule_New(notes.get(), kNotesName, FreeNotes));
  if (!capsule) return nullptr;
  Notes* list = notes.release();  // the capsule's now
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(dicts); ++i) {
    PyObject* dict = PyList_GET_ITEM(dicts, i);
    PyRef copy(PyDict_Check(dict) ? PyDict_Copy(dict) : nullptr);
    if (!copy) return nullptr;
    list->push_back({Py_NewRef(dict), copy.release(), VersionOf(dict)});
  }
  return capsule.release();
}

// restore(what note() returned)
PyObject* ModuleRestore(PyObject*, PyObject* capsule) {
  auto* notes = static_cast<Notes*>(PyCapsule_GetPointer(capsule, kNotesName));
  if (notes == nullptr) return nullptr;
  for (Noted& noted : *notes) {
    if (noted.version != 0 && noted.version == VersionOf(noted.dict)) continue;
    if (!RestoreDict(noted.dict, noted.copy)) return nullptr;
    noted.version = VersionOf(noted.dict);
  }
  Py_RETURN_NONE;
}

// restore_modules(modules): each of them is in sys.modules again under its name. No reference is counted while nothing has changed.
PyObject* ModuleRestoreModules(PyObject*, PyObject* modules) {
  PyObject* now = PyImport_GetModuleDict();
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Check(modules) && PyDict_Next(modules, &at, &key, &value)) {
    if (PyDict_GetItemWithError(now, key) != value && PyDict_SetItem(now, key, value) != 0)
      return nullptr;
  }
  Py_RETURN_NONE;
}

// modules_since(modules): what sys.modules has besides these, as a dict.
PyObject* ModuleModulesSince(PyObject*, PyObject* known) {
  PyRef found(PyDict_New());
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (found && PyDict_Check(known) && PyDict_Next(PyImport_GetModuleDict(), &at, &key, &value)) {
    if (PyDict_GetItemWithError(known, key) != value &&
        PyDict_SetItem(found.get(), key, value) != 0)
      return nullptr;
  }
  return found.release();
}

PyMethodDef g_methods[] = {{"setup", ModuleSetup, METH_VARARGS, nullptr},
                           {"ask", ModuleAsk, METH_VARARGS, nullptr},
                           {"loaded", ModuleLoaded, METH_NOARGS, nullptr},
                           {"broken", ModuleBroken, METH_NOARGS, nullptr},
                           {"last_call", ModuleLastCall, METH_NOARGS, nullptr},
                           {"swallowed", ModuleSwallowed, METH_NOARGS, nullptr},
                           {"replaced", ModuleReplaced, METH_NOARGS, nullptr},
                           {"watch", ModuleWatch, METH_O, nullptr},
                           {"asked", ModuleAsked, METH_NOARGS, nullptr},
                           {"is_candidates", ModuleIsCandidates, METH_O, nullptr},
                           {"break_off", ModuleBreakOff, METH_O, nullptr},
                           {"records", ModuleRecords, METH_VARARGS, nullptr},
                           {"note", ModuleNote, METH_O, nullptr},
                           {"restore", ModuleRestore, METH_O, nullptr},
                           {"restore_modules", ModuleRestoreModules, METH_O, nullptr},
                           {"modules_since", ModuleModulesSince, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};
PyModuleDef g_module = {PyModuleDef_HEAD_INIT,
                        "_assay_judge",
                        nullptr,
                        -1,
                        g_methods,
                        nullptr,
                        nullptr,
                        nullptr,
                        nullptr};

PyObject* g_tester_module = nullptr;

bool LoadTesterModule() {
  PyObject* channel = PyModule_Create(&g_module);
  PyObject* modules = PyImport_GetModuleDict();
  if (channel == nullptr || PyDict_SetItemString(modules, "_assay_judge", channel) != 0)
    return false;
  PyRef plan(Py_CompileString(kPyBesidePlanSource, "<assay beside>", Py_file_input));
  if (!plan || !PyRef(PyImport_ExecCodeModule("_assay_beside_plan", plan.get()))) return false;
  PyRef code(Py_CompileString(kPyTesterSource, "<assay tester>", Py_file_input));
  if (!code) return false;
  g_tester_module = PyImport_ExecCodeModule("_assay_tester", code.get());
  return g_tester_module != nullptr;
}

bool WriteWhole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

bool PrepareTesterZygote() {
  if (g_tester_module != nullptr) return true;
  if (PrepareTransfer() && LoadTesterModule()) {
    PyRef done(PyObject_CallMethod(g_tester_module, "prepare_zygote", nullptr));
    if (done) return true;
  }
  PyErr_Print();
  return false;
}

void TesterWarmUp() {
  PyRef done(PyObject_CallMethod(g_tester_module, "warm_up", nullptr));
  if (!done) PyErr_Print();
}

void TesterPrepare(std::string_view spec) {
  PyRef text(PyUnicode_DecodeUTF8(spec.data(), static_cast<Py_ssize_t>(spec.size()), "replace"));
  PyRef done(text ? PyObject_CallMethod(g_tester_module, "prepare", "O", text.get()) : nullptr);
  if (!done) PyErr_Print();
}

TesterIs TesterServe(int answers_fd, int requests_fd, int result_fd, std::string_view request) {
  Conversation conversation(answers_fd, requests_fd);
  g_conversation = &conversation;
  PyRef text(
      PyUnicode_DecodeUTF8(request.data(), static_cast<Py_ssize_t>(request.size()), "replace"));
  PyRef result(text ? PyObject_CallMethod(g_tester_module, "serve", "O", text.get()) : nullptr);
  g_conversation = nullptr;
  Py_ssize_t size = 0;
  const char* json = nullptr;
  TesterIs left = TesterIs::kWorn;
  if (result && PyTuple_Check(result.get()) && PyTuple_GET_SIZE(result.get()) == 2) {
    json = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(result.get(), 0), &size);
    left = static_cast<TesterIs>(PyLong_AsLong(PyTuple_GET_ITEM(result.get(), 1)));
  }
  if (json == nullptr) {
    // Out of memory at the very end: what the program returned brought it about.
    PyErr_Clear();
    WriteWhole(
        result_fd,
        R"({"outcome":"fail","reason":"memory_limit","detail":"the tester ran out of memory"})");
    return TesterIs::kWorn;
  }
  return WriteWhole(result_fd, {json, static_cast<size_t>(size)}) ? left : TesterIs::kWorn;
}

}  // namespace assay::jail
