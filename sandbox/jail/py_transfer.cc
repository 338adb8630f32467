#include "sandbox/jail/py_transfer.h"

#include <datetime.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_set>

namespace assay::jail {
namespace {

// One byte before every value. Composite kinds that have an identity are numbered on both sides in order of appearance.
enum Tag : char {
  kNone = 'N',
  kTrue = 'T',
  kFalse = 'F',
  kEllipsis = 'E',
  kNotImplemented = '~',
  kInt = 'i',     // zigzag varint
  kBigInt = 'I',  // sign byte, little-endian magnitude
  kFloat = 'f',
  kComplex = 'c',
  kStr = 's',
  kBytes = 'b',
  kByteArray = 'B',
  kList = 'l',
  kTuple = 't',
  kNamedTuple = 'P',  // class, fields, then a tuple
  kDict = 'd',
  kDictClass =
      'C',  // 'C' Counter, 'O' OrderedDict, 'D' defaultdict with its factory's name; then a dict
  kSet = 'S',
  kFrozenSet = 'z',
  kDeque = 'q',
  kView = 'k',  // 'k' keys, 'v' values, 'i' items; a list
  kRange = 'r',
  kSlice = '/',
  kFraction = 'Q',
  kDecimal = 'D',
  kDate = 'j',
  kTime = 'h',
  kDateTime = 'J',
  kTimeDelta = 'w',
  kTimeZone = 'Z',
  kZonedDateTime = 'U',
  kArray = 'A',
  kNumpyScalar = 'G',
  kException = 'x',
  kRecord = 'M',        // name; the body follows after the last value
  kInlineRecord = 'm',  // name, body
  kEnum = 'e',          // class, member, value
  kNamed = 'y',         // a built-in type or function
  kForeign = 'H',       // kind, number, properties; of a callback: what it is called
  kReference = 'R',     // number
  kOrigin = 'O',        // number in the request; a value that replaces its contents
};

constexpr size_t kMemoStringBytes = 64;
constexpr size_t kFractionBits = size_t{1} << 17;
constexpr int kMaxDims = 32;
constexpr size_t kMaxFields = 64;
constexpr size_t kMaxTupleClasses = 64;
constexpr size_t kMaxNameBytes = 200;

// Filled once by PrepareTransfer, in a pristine interpreter.
struct Known {
  PyTypeObject* fraction = nullptr;
  PyTypeObject* decimal = nullptr;
  PyTypeObject* deque = nullptr;
  PyTypeObject* enum_meta = nullptr;
  PyTypeObject* counter = nullptr;
  PyTypeObject* ordered_dict = nullptr;
  PyTypeObject* default_dict = nullptr;
  PyObject* named_tuple = nullptr;  // the function that makes such classes
  std::map<std::string, PyObject*> by_name;
  std::unordered_map<PyObject*, std::string> names;
};
Known* g_known = nullptr;

bool IsNearestExcluded(PyObject* type) {
  return type == PyExc_SystemExit || type == PyExc_KeyboardInterrupt ||
         type == PyExc_GeneratorExit || type == PyExc_StopIteration ||
         type == PyExc_StopAsyncIteration;
}

// Python's integer functions for raw bytes lost or gained an argument over the versions.
bool LongToBytes(PyObject* value, unsigned char* bytes, size_t size) {
#if PY_VERSION_HEX >= 0x030D0000
  return _PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(value), bytes, size, 1, 1, 1) == 0;
#else
  return _PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(value), bytes, size, 1, 1) == 0;
#endif
}

// A class without built-in data in it: instances are a dict and nothing else.
bool IsPlainClass(PyTypeObject* type) {
  PyObject* mro = type->tp_mro;
  if (mro == nullptr || !PyTuple_Check(mro)) return false;
  Py_ssize_t count = PyTuple_GET_SIZE(mro);
  for (Py_ssize_t i = 0; i + 1 < count; ++i) {
    PyObject* base = PyTuple_GET_ITEM(mro, i);
    if (!PyType_Check(base)) return false;
    if (!(reinterpret_cast<PyTypeObject*>(base)->tp_flags & Py_TPFLAGS_HEAPTYPE)) return false;
    // Classes of extension modules may be heap types too; those written in Python share one deallocator.
    if (reinterpret_cast<PyTypeObject*>(base)->tp_dealloc != g_known->fraction->tp_dealloc)
      return false;
  }
  return count > 1 &&
         PyTuple_GET_ITEM(mro, count - 1) == reinterpret_cast<PyObject*>(&PyBaseObject_Type);
}

bool HasBaseNamed(PyTypeObject* type, const char* name) {
  PyObject* mro = type->tp_mro;
  if (mro == nullptr || !PyTuple_Check(mro)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); ++i) {
    PyObject* base = PyTuple_GET_ITEM(mro, i);
    if (PyType_Check(base) &&
        !(reinterpret_cast<PyTypeObject*>(base)->tp_flags & Py_TPFLAGS_HEAPTYPE) &&
        std::strcmp(reinterpret_cast<PyTypeObject*>(base)->tp_name, name) == 0) {
      return true;
    }
  }
  return false;
}

// "<f8", "|b1", "<U3", "<M8[ns]": the plain kinds, no objects, no structures.
bool IsPlainDtype(std::string_view dtype) {
  if (dtype.size() < 3 || dtype.size() > 16) return false;
  if (dtype[0] != '<' && dtype[0] != '|' && dtype[0] != '>') return false;
  if (std::strchr("biufcSUMm", dtype[1]) == nullptr) return false;
  for (char c : dtype.substr(2)) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '[' && c != ']') return false;
  }
  return std::isdigit(static_cast<unsigned char>(dtype[2])) != 0;
}

bool RegisterBuiltins() {
  PyRef builtins(PyImport_ImportModule("builtins"));
  if (!builtins) return false;
  PyObject* dict = PyModule_GetDict(builtins.get());
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    const char* name = PyUnicode_AsUTF8(key);
    if (name == nullptr) return false;
    if (name[0] == '_' || IsNearestExcluded(value)) continue;
    if (!PyType_Check(value) && !PyCFunction_Check(value)) continue;
    Py_INCREF(value);
    g_known->by_name[name] = value;
    g_known->names[value] = name;
  }
  PyObject* none_type = reinterpret_cast<PyObject*>(Py_TYPE(Py_None));
  g_known->by_name["NoneType"] = none_type;
  g_known->names[none_type] = "NoneType";
  return true;
}

PyTypeObject* ImportType(const char* module, const char* name) {
  PyRef from(PyImport_ImportModule(module));
  if (!from) return nullptr;
  PyObject* type = PyObject_GetAttrString(from.get(), name);  // kept for good
  if (type != nullptr && !PyType_Check(type)) return nullptr;
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

bool PrepareTransfer() {
  if (g_known != nullptr) return true;
  g_known = new Known;
  g_known->fraction = ImportType("fractions", "Fraction");
  g_known->decimal = ImportType("decimal", "Decimal");
  g_known->deque = ImportType("collections", "deque");
  g_known->enum_meta = ImportType("enum", "EnumMeta");
  g_known->counter = ImportType("collections", "Counter");
  g_known->ordered_dict = ImportType("collections", "OrderedDict");
  g_known->default_dict = ImportType("collections", "defaultdict");
  PyRef collections(PyImport_ImportModule("collections"));
  g_known->named_tuple =
      collections ? PyObject_GetAttrString(collections.get(), "namedtuple") : nullptr;
  PyDateTime_IMPORT;
  return g_known->fraction != nullptr && g_known->decimal != nullptr && g_known->deque != nullptr &&
         g_known->enum_meta != nullptr && g_known->counter != nullptr &&
         g_known->ordered_dict != nullptr && g_known->default_dict != nullptr &&
         g_known->named_tuple != nullptr && PyDateTimeAPI != nullptr && RegisterBuiltins();
}

PyObject* TransferHooks::TupleClass(const std::string& name,
                                    const std::vector<std::string>& fields) {
  std::vector<std::string> key = fields;
  key.push_back(name);
  auto found = tuple_classes_.find(key);
  if (found != tuple_classes_.end()) return found->second.get();
  if (tuple_classes_.size() >= kMaxTupleClasses) return nullptr;
  PyRef names(PyTuple_New(static_cast<Py_ssize_t>(fields.size())));
  for (size_t i = 0; names && i < fields.size(); ++i) {
    PyObject* field =
        PyUnicode_FromStringAndSize(fields[i].data(), static_cast<Py_ssize_t>(fields[i].size()));
    if (field == nullptr) PyErr_Clear();
    PyTuple_SET_ITEM(names.get(), static_cast<Py_ssize_t>(i),
                     field != nullptr ? field : Py_NewRef(Py_None));
  }
  // It refuses whatever is no plain name.
  PyRef made(names ? PyObject_CallFunction(g_known->named_tuple, "sO", name.c_str(), names.get())
                   : nullptr);
  if (!made) {
    PyErr_Clear();
    return nullptr;
  }
  return tuple_classes_.emplace(std::move(key), std::move(made)).first->second.get();
}

std::string NearestBuiltinException(PyTypeObject* type) {
  PyObject* mro = type->tp_mro;
  if (mro == nullptr || !PyTuple_Check(mro)) return "Exception";
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); ++i) {
    PyObject* base = PyTuple_GET_ITEM(mro, i);
    if (IsNearestExcluded(base)) return "RuntimeError";
    auto found = g_known->names.find(base);
    if (found != g_known->names.end() && PyExceptionClass_Check(base)) return found->second;
  }
  return "Exception";
}

const char* BuiltinFunctionName(PyObject* function) {
  auto found = PyCFunction_Check(function) ? g_known->names.find(function) : g_known->names.end();
  return found != g_known->names.end() ? found->second.c_str() : nullptr;
}

PyObject* BuiltinException(const std::string& name) {
  auto found = g_known->by_name.find(name);
  if (found == g_known->by_name.end() || !PyExceptionClass_Check(found->second)) return nullptr;
  return found->second;
}

bool IsLink(PyTypeObject* holder, PyObject* value) {
  return value == Py_None || Py_TYPE(value) == holder;
}

bool DataDiffers(PyObject* before, PyObject* after) {
  if (before == after) return false;
  // Of a named tuple whose class only the other side knows a class of the same name has been made here.
  const bool tuples = PyTuple_Check(before) && PyTuple_Check(after);
  const bool alike = tuples && std::strcmp(Py_TYPE(before)->tp_name, Py_TYPE(after)->tp_name) == 0;
  if (Py_TYPE(before) != Py_TYPE(after) && !alike) return true;
  if (tuples) {
    const Py_ssize_t size = PyTuple_GET_SIZE(before);
    if (size != PyTuple_GET_SIZE(after)) return true;
    for (Py_ssize_t i = 0; i < size; ++i) {
      if (DataDiffers(PyTuple_GET_ITEM(before, i), PyTuple_GET_ITEM(after, i))) return true;
    }
    return false;
  }
  // Not a number is what it was.
  if (PyFloat_CheckExact(before) && PyFloat_AS_DOUBLE(before) != PyFloat_AS_DOUBLE(before))
    return PyFloat_AS_DOUBLE(after) == PyFloat_AS_DOUBLE(after);
  const bool heap_type = (Py_TYPE(before)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
  if (PyList_Check(before) || PyDict_Check(before) || PySet_Check(before) ||
      PyByteArray_Check(before) || Py_TYPE(before) == g_known->deque)
    return true;
  if (heap_type && Py_TYPE(before) != g_known->fraction && Py_TYPE(before) != g_known->decimal)
    return true;
  const int differ = PyObject_RichCompareBool(before, after, Py_NE);
  PyErr_Clear();
  return differ != 0;
}

void PutVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void PutBytes(std::string_view bytes, std::string* out) {
  PutVarint(bytes.size(), out);
  out->append(bytes);
}

// ---------------------------------------------------------------------------------------------------------- Encoder

Encoder::~Encoder() {
  for (PyObject* object : objects_) Py_DECREF(object);
}

bool Encoder::Fail(std::string why, bool too_large) {
  PyErr_Clear();
  if (error_.empty()) {
    error_ = std::move(why);
    too_large_ = too_large;
  }
  return false;
}

bool Encoder::Grow(size_t size) {
  if (out_.size() + size > limits_.bytes) return Fail("the value is too large", true);
  return true;
}

void Encoder::SetOrigins(const std::vector<PyObject*>& request_objects) {
  for (size_t i = 0; i < request_objects.size(); ++i) {
    PyObject* object = request_objects[i];
    if (object == nullptr || PyTuple_Check(object) || PyUnicode_Check(object) ||
        PyBytes_Check(object) || PyFrozenSet_Check(object) || PyExceptionInstance_Check(object)) {
      continue;
    }
    origins_.emplace(object, i);
  }
}

PyTypeObject* Encoder::OwnerOf(PyObject* object) const {
  auto found = owners_.find(object);
  return found == owners_.end() ? nullptr : found->second;
}

bool Encoder::Known(PyObject* value) {
  auto found = index_.find(value);
  if (found == index_.end()) return false;
  if (owner_ != nullptr) owners_.emplace(value, owner_);
  out_.push_back(kReference);
  PutVarint(found->second, &out_);
  return true;
}

bool Encoder::Remember(PyObject* value) {
  Py_INCREF(value);
  index_.emplace(value, objects_.size());
  objects_.push_back(value);
  if (owner_ != nullptr) owners_.emplace(value, owner_);
  return true;
}

bool Encoder::Put(PyObject* value) { return PutDeep(value, 0); }

bool Encoder::PutInt(PyObject* value) {
  int overflow = 0;
  long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow == 0) {
    out_.push_back(kInt);
    PutVarint((static_cast<uint64_t>(small) << 1) ^ static_cast<uint64_t>(small >> 63), &out_);
    return true;
  }
  size_t bits = _PyLong_NumBits(value);
  if (bits > limits_.int_bits) return Fail("an integer is too large", true);
  size_t size = bits / 8 + 1;
  if (!Grow(size + 16)) return false;
  out_.push_back(kBigInt);
  PutVarint(size, &out_);
  size_t at = out_.size();
  out_.resize(at + size);
  if (!LongToBytes(value, reinterpret_cast<unsigned char*>(out_.data()) + at, size)) {
    return Fail("an integer cannot be read");
  }
  return true;
}

bool Encoder::PutRaw(char tag, const char* data, size_t size, PyObject* identity) {
  if (!Grow(size + 16)) return false;
  if (identity != nullptr) Remember(identity);
  out_.push_back(tag);
  PutBytes({data, size}, &out_);
  return true;
}

bool Encoder::PutStr(PyObject* value) {
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(value, &size);
  PyRef lone;
  if (utf8 == nullptr) {  // lone surrogates
    PyErr_Clear();
    lone = PyRef(PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass"));
    if (!lone) return Fail("a string cannot be encoded");
    utf8 = PyBytes_AS_STRING(lone.get());
    size = PyBytes_GET_SIZE(lone.get());
  }
  bool identity = static_cast<size_t>(size) >= kMemoStringBytes;
  if (identity && Known(value)) return true;
  return PutRaw(kStr, utf8, static_cast<size_t>(size), identity ? value : nullptr);
}

// Lists and tuples. A list may shrink under our hands (another thread of the box): what is gone is None.
bool Encoder::PutSequence(char tag, PyObject* value, int depth) {
  bool list = tag == kList;
  size_t count = static_cast<size_t>(list ? PyList_GET_SIZE(value) : PyTuple_GET_SIZE(value));
  if (!Grow(count + 16)) return false;
  out_.push_back(tag);
  PutVarint(count, &out_);
  for (size_t i = 0; i < count; ++i) {
    PyObject* item = Py_None;
    if (!list) {
      item = PyTuple_GET_ITEM(value, i);
    } else if (i < static_cast<size_t>(PyList_GET_SIZE(value))) {
      item = PyList_GET_ITEM(value, i);
    }
    PyRef keep = PyRef::Borrow(item == nullptr ? Py_None : item);
    if (!PutDeep(keep.get(), depth + 1)) return false;
  }
  return true;
}

// Of these classes exactly: a subclass is a dict.
bool Encoder::PutDictClass(PyObject* value) {
  PyTypeObject* type = Py_TYPE(value);
  char kind = type == g_known->counter        ? 'C'
              : type == g_known->ordered_dict ? 'O'
              : type == g_known->default_dict ? 'D'
                                              : 0;
  if (kind == 0) return true;
  std::string factory;
  if (kind == 'D') {
    PyRef made(PyObject_GetAttrString(value, "default_factory"));
    auto named = g_known->names.find(made.get());
    PyErr_Clear();
    if (!made || (made.get() != Py_None && named == g_known->names.end())) return true;
    if (made.get() != Py_None) factory = named->second;
  }
  out_.push_back(kDictClass);
  out_.push_back(kind);
  if (kind == 'D') PutBytes(factory, &out_);
  return true;
}

bool Encoder::PutDict(PyObject* value, int depth) {
  // An OrderedDict has an order of its own.
  bool ordered = Py_TYPE(value) == g_known->ordered_dict;
  PyRef view(ordered ? PyObject_CallMethod(value, "items", nullptr) : nullptr);
  PyRef items(ordered ? (view ? PySequence_List(view.get()) : nullptr) : PyDict_Items(value));
  if (!items || !PyList_CheckExact(items.get())) return Fail("a dict cannot be read");
  size_t count = static_cast<size_t>(PyList_GET_SIZE(items.get()));
  if (!Grow(2 * count + 16)) return false;
  out_.push_back(kDict);
  PutVarint(count, &out_);
  for (size_t i = 0; i < count; ++i) {
    PyObject* pair = PyList_GET_ITEM(items.get(), i);
    // Keys carry their records within, for the receiver must hash them at once.
    if (!PutDeep(PyTuple_GET_ITEM(pair, 0), (depth + 1) | 0x10000)) return false;
    if (!PutDeep(PyTuple_GET_ITEM(pair, 1), depth + 1)) return false;
  }
  return true;
}

bool Encoder::PutSet(char tag, PyObject* value, int depth) {
  PyRef items(PyList_New(0));
  PyRef iterator(PySet_Type.tp_iter(value));  // the concrete one, whatever a subclass says
  if (!items || !iterator) return Fail("a set cannot be read");
  while (PyRef item{PyIter_Next(iterator.get())}) {
    if (PyList_Append(items.get(), item.get()) != 0) return Fail("out of memory");
  }
  if (PyErr_Occurred()) return Fail("a set changed while it was read");
  size_t count = static_cast<size_t>(PyList_GET_SIZE(items.get()));
  out_.push_back(tag);
  PutVarint(count, &out_);
  for (size_t i = 0; i < count; ++i) {
    if (!PutDeep(PyList_GET_ITEM(items.get(), i), (depth + 1) | 0x10000)) return false;
  }
  return true;
}

// The elements of anything that iterates in C, as a count and values. Stops at the bound on values.
bool Encoder::PutIterable(PyObject* iterable, int depth) {
  PyRef iterator(PyObject_GetIter(iterable));
  PyRef items(PyList_New(0));
  if (!iterator || !items) return Fail("an iterable cannot be read");
  while (PyRef item{PyIter_Next(iterator.get())}) {
    if (static_cast<size_t>(PyList_GET_SIZE(items.get())) >= limits_.nodes) {
      return Fail("an iterator has too many elements", true);
    }
    if (PyList_Append(items.get(), item.get()) != 0) return Fail("out of memory");
  }
  if (PyErr_Occurred()) return Fail("an iterable raised while it was read");
  size_t count = static_cast<size_t>(PyList_GET_SIZE(items.get()));
  PutVarint(count, &out_);
  for (size_t i = 0; i < count; ++i) {
    if (!PutDeep(PyList_GET_ITEM(items.get(), i), depth + 1)) return false;
  }
  return true;
}

bool Encoder::PutDeque(PyObject* value, int depth) {
  PyRef maxlen(PyObject_GetAttrString(value, "maxlen"));
  if (!maxlen || (maxlen.get() != Py_None && !PyLong_CheckExact(maxlen.get()))) {
    return Fail("a deque cannot be read");
  }
  out_.push_back(kDeque);
  if (!PutDeep(maxlen.get(), depth + 1)) return false;
  PyRef iterator(g_known->deque->tp_iter(value));
  return iterator ? PutIterable(iterator.get(), depth) : Fail("a deque cannot be read");
}

bool Encoder::PutNumpy(PyObject* value, int depth, bool* done) {
  bool array = HasBaseNamed(Py_TYPE(value), "numpy.ndarray");
  if (!array && !HasBaseNamed(Py_TYPE(value), "numpy.generic")) return true;
  PyRef dtype(PyObject_GetAttrString(value, "dtype"));
  PyRef text(dtype ? PyObject_GetAttrString(dtype.get(), "str") : nullptr);
  PyRef shape(PyObject_GetAttrString(value, "shape"));
  const char* name = text && PyUnicode_Check(text.get()) ? PyUnicode_AsUTF8(text.get()) : nullptr;
  if (name == nullptr || !shape || !PyTuple_Check(shape.get()) || !IsPlainDtype(name)) {
    PyErr_Clear();
    if (array || name == nullptr) return true;
    PyRef item(PyObject_CallMethod(value, "item", nullptr));
    if (!item || HasBaseNamed(Py_TYPE(item.get()), "numpy.generic")) {
      PyErr_Clear();
      return true;
    }
    *done = true;
    return PutDeep(item.get(), depth + 1);
  }
  PyRef data(PyObject_CallMethod(value, "tobytes", nullptr));
  if (!data || !PyBytes_Check(data.get())) return Fail("a numpy value cannot be read");
  *done = true;
  if (array) Remember(value);
  out_.push_back(array ? kArray : kNumpyScalar);
  PutBytes(name, &out_);
  size_t dims = array ? static_cast<size_t>(PyTuple_GET_SIZE(shape.get())) : 0;
  PutVarint(dims, &out_);
  for (size_t i = 0; i < dims; ++i) {
    PutVarint(PyLong_AsSize_t(PyTuple_GET_ITEM(shape.get(), i)), &out_);
  }
  size_t size = static_cast<size_t>(PyBytes_GET_SIZE(data.get()));
  if (PyErr_Occurred() || !Grow(size + 16)) return Fail("a numpy value cannot be sent", true);
  PutBytes({PyBytes_AS_STRING(data.get()), size}, &out_);
  return true;
}

bool Encoder::PutAttributes(char tag, PyObject* value, std::initializer_list<const char*> names,
                            int depth) {
  out_.push_back(tag);
  for (const char* name : names) {
    PyRef part(PyObject_GetAttrString(value, name));
    if (!part) return Fail("an attribute is missing");
    if (!PutDeep(part.get(), depth + 1)) return false;
  }
  return true;
}

bool Encoder::PutException(PyObject* value, int depth) {
  Remember(value);
  open_[value] = true;
  out_.push_back(kException);
  PutBytes(NearestBuiltinException(Py_TYPE(value)), &out_);
  PyRef args = PyRef::Borrow(reinterpret_cast<PyBaseExceptionObject*>(value)->args);
  bool tuple = args && PyTuple_Check(args.get());
  PyRef none(PyTuple_New(0));
  bool ok = PutDeep(tuple ? args.get() : none.get(), depth + 1);
  open_.erase(value);
  return ok;
}

bool Encoder::PutRecord(PyObject* value, const std::string& name) {
  Remember(value);
  out_.push_back(kRecord);
  PutBytes(name, &out_);
  pending_records_.push_back(value);
  return true;
}

namespace {

bool IsPrivate(PyObject* name) {
  if (!PyUnicode_Check(name) || PyUnicode_GET_LENGTH(name) < 2) return false;
  return PyUnicode_READ_CHAR(name, 0) == '_' && PyUnicode_READ_CHAR(name, 1) != '_';
}

// What was not sent (Encoder::PutFields) is kept; what the box has set all the same is set.
bool KeepPrivate(PyObject* before, PyObject* fields) {
  PyObject *name, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(before, &at, &name, &value)) {
    if (IsPrivate(name) && PyDict_GetItemWithError(fields, name) == nullptr &&
        PyDict_SetItem(fields, name, value) != 0)
      return false;
  }
  return PyErr_Occurred() == nullptr;
}

// Of these fields the ones that are not private, in a dict of their own.
PyRef PublicFields(PyObject* fields) {
  PyRef shown(PyDict_New());
  PyObject *name, *value;
  Py_ssize_t at = 0;
  while (shown && PyDict_Next(fields, &at, &name, &value)) {
    if (!IsPrivate(name) && PyDict_SetItem(shown.get(), name, value) != 0) return PyRef();
  }
  return shown;
}

}  // namespace

// What an object holds, but for what its class keeps to itself.
bool Encoder::PutFields(PyObject* record, int depth) {
  PyRef dict(PyObject_GenericGetDict(record, nullptr));
  if (!dict || !PyDict_Check(dict.get())) return Fail("a record has no fields");
  const Guard guard = hooks_->GuardOf(Py_TYPE(record));
  PyTypeObject* before = owner_;
  owner_ = guard == Guard::kNone ? OwnerOf(record) : Py_TYPE(record);
  if (guard != Guard::kNone) {
    PyRef shown = PublicFields(dict.get());
    if (!shown) return Fail("out of memory");
    if (guard == Guard::kHidden) {
      dict = std::move(shown);
    } else if (PyDict_Size(shown.get()) < PyDict_Size(dict.get())) {
      hooks_->Shown(record);
    }
  }
  const bool ok = PutDict(dict.get(), depth);
  owner_ = before;
  return ok;
}

bool Encoder::PutForeign(PyObject* value) {
  uint64_t id = 0;
  uint8_t flags = 0;
  std::string about;
  Foreign kind = hooks_->Export(value, &id, &flags, &about);
  if (kind == Foreign::kNone) {
    return Fail(std::string("a value of type ") + Py_TYPE(value)->tp_name + " cannot be passed");
  }
  out_.push_back(kForeign);
  out_.push_back(static_cast<char>(kind));
  PutVarint(id, &out_);
  out_.push_back(static_cast<char>(flags));
  if (kind == Foreign::kCallback || (flags & kHandleBuiltin) != 0)
    PutBytes(std::string_view(about).substr(0, 2000), &out_);
  return true;
}

bool Encoder::PutEnum(PyObject* value, const std::string& record, int depth) {
  PyRef name(PyObject_GetAttrString(value, "_name_"));
  PyRef content(PyObject_GetAttrString(value, "_value_"));
  const char* text = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : nullptr;
  if (text == nullptr || !content) return Fail("an enum member has no name");
  out_.push_back(kEnum);
  PutBytes(record, &out_);
  PutBytes(text, &out_);
  return PutDeep(content.get(), depth + 1);
}

// What comes before a tuple of a class: the name and fields of a named one.
bool Encoder::PutTupleClass(PyObject* value, const std::string& record) {
  PyTypeObject* type = Py_TYPE(value);
  PyRef fields(PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "_fields"));
  PyErr_Clear();
  std::vector<std::string> names;
  bool named = fields && PyTuple_CheckExact(fields.get()) &&
               PyTuple_GET_SIZE(fields.get()) == PyTuple_GET_SIZE(value) &&
               static_cast<size_t>(PyTuple_GET_SIZE(value)) <= kMaxFields;
  for (Py_ssize_t i = 0; named && i < PyTuple_GET_SIZE(fields.get()); ++i) {
    PyObject* field = PyTuple_GET_ITEM(fields.get(), i);
    const char* text = PyUnicode_CheckExact(field) ? PyUnicode_AsUTF8(field) : nullptr;
    PyErr_Clear();
    named = text != nullptr && std::strlen(text) <= kMaxNameBytes;
    if (named) names.emplace_back(text);
  }
  if (!named && record.empty()) return true;
  out_.push_back(kNamedTuple);
  std::string_view own = type->tp_name;
  if (size_t dot = own.rfind('.'); dot != std::string_view::npos) own.remove_prefix(dot + 1);
  PutBytes(record.empty() ? own.substr(0, kMaxNameBytes) : std::string_view(record), &out_);
  PutVarint(named ? names.size() : 0, &out_);
  for (const std::string& name : names) PutBytes(name, &out_);
  return true;
}

// Kinds that are told by a type of the standard library or by a name. `done` false: none of them.
bool Encoder::PutByType(PyObject* value, int depth, bool* done) {
  *done = true;
  PyTypeObject* type = Py_TYPE(value);
  if (type == &PyRange_Type) return PutAttributes(kRange, value, {"start", "stop", "step"}, depth);
  if (type == &PySlice_Type) return PutAttributes(kSlice, value, {"start", "stop", "step"}, depth);
  if (PyDictKeys_Check(value) || PyDictValues_Check(value) || PyDictItems_Check(value)) {
    out_.push_back(kView);
    out_.push_back(PyDictKeys_Check(value) ? 'k' : PyDictValues_Check(value) ? 'v' : 'i');
    return PutIterable(value, depth);
  }
  if (PyObject_TypeCheck(value, g_known->deque)) {
    Remember(value);
    return PutDeque(value, depth);
  }
  if (PyObject_TypeCheck(value, g_known->fraction)) {
    return PutAttributes(kFraction, value, {"_numerator", "_denominator"}, depth);
  }
  if (PyObject_TypeCheck(value, g_known->decimal)) {
    PyRef text(g_known->decimal->tp_str(value));
    if (!text) return Fail("a Decimal cannot be read");
    out_.push_back(kDecimal);
    return PutDeep(text.get(), depth + 1);
  }
  if (PyDelta_Check(value)) {
    return PutAttributes(kTimeDelta, value, {"days", "seconds", "microseconds"}, depth);
  }
  if (PyDateTime_Check(value)) {
    auto* moment = reinterpret_cast<PyDateTime_DateTime*>(value);
    bool zoned = moment->hastzinfo != 0;
    if (!zoned || Py_TYPE(moment->tzinfo) == Py_TYPE(PyDateTimeAPI->TimeZone_UTC)) {
      if (zoned) out_.push_back(kZonedDateTime);
      bool put = PutAttributes(
          kDateTime, value,
          {"year", "month", "day", "hour", "minute", "second", "microsecond", "fold"}, depth);
      return put && (!zoned || PutDeep(moment->tzinfo, depth + 1));
    }
  }
  if (type == Py_TYPE(PyDateTimeAPI->TimeZone_UTC)) {
    PyRef offset(PyObject_CallMethod(value, "utcoffset", "O", Py_None));
    if (!offset) return Fail("a time zone cannot be read");
    out_.push_back(kTimeZone);
    return PutDeep(offset.get(), depth + 1);
  }
  if (PyDate_Check(value) && !PyDateTime_Check(value)) {
    return PutAttributes(kDate, value, {"year", "month", "day"}, depth);
  }
  if (PyTime_Check(value) && reinterpret_cast<PyDateTime_Time*>(value)->hastzinfo == 0) {
    return PutAttributes(kTime, value, {"hour", "minute", "second", "microsecond", "fold"}, depth);
  }
  if (PyExceptionInstance_Check(value)) return PutException(value, depth);
  auto named = g_known->names.find(value);
  if (named != g_known->names.end() && (PyType_Check(value) || hooks_->IsTester())) {
    out_.push_back(kNamed);
    PutBytes(named->second, &out_);
    return true;
  }
  *done = false;
  return true;
}

bool Encoder::PutDeep(PyObject* value, int depth_and_key) {
  int depth = depth_and_key & 0xffff;
  bool key = (depth_and_key & 0x10000) != 0;
  if (++nodes_ > limits_.nodes) return Fail("the value has too many parts", true);
  if (!Grow(16)) return false;
  if (value == Py_None) return out_.push_back(kNone), true;
  if (value == Py_True) return out_.push_back(kTrue), true;
  if (value == Py_False) return out_.push_back(kFalse), true;
  if (value == Py_Ellipsis) return out_.push_back(kEllipsis), true;
  if (value == Py_NotImplemented) return out_.push_back(kNotImplemented), true;
  if (PyLong_CheckExact(value)) return PutInt(value);
  if (PyUnicode_CheckExact(value)) return PutStr(value);
  if (auto found = index_.find(value); found != index_.end()) {
    // A tuple inside of itself has no encoding: the receiver would have to hash what is not there yet.
    return open_.count(value) != 0 ? PutForeign(value) : Known(value);
  }
  if (depth > limits_.depth) return Fail("the value is nested too deep", true);
  if (auto origin = origins_.find(value); origin != origins_.end()) {
    out_.push_back(kOrigin);
    PutVarint(origin->second, &out_);
  }
  PyTypeObject* type = Py_TYPE(value);
  bool builtin_exact = PyFloat_CheckExact(value) || PyList_CheckExact(value) ||
                       PyTuple_CheckExact(value) || PyDict_CheckExact(value);
  std::string record;
  if (!builtin_exact) {
    bool done = false;
    if (!PutNumpy(value, depth, &done) || done) return error_.empty();
    record = hooks_->RecordName(type);
    if (PyObject_TypeCheck(reinterpret_cast<PyObject*>(type), g_known->enum_meta) &&
        !record.empty()) {
      return PutEnum(value, record, depth);
    }
  }
  if (PyFloat_Check(value)) {
    double number = PyFloat_AS_DOUBLE(value);
    out_.push_back(kFloat);
    out_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return true;
  }
  if (PyLong_Check(value)) return PutInt(value);
  if (PyUnicode_Check(value)) return PutStr(value);
  if (PyComplex_Check(value)) {
    Py_complex number = reinterpret_cast<PyComplexObject*>(value)->cval;
    out_.push_back(kComplex);
    out_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return true;
  }
  if (PyBytes_Check(value)) {
    size_t size = static_cast<size_t>(PyBytes_GET_SIZE(value));
    return PutRaw(kBytes, PyBytes_AS_STRING(value), size,
                  size >= kMemoStringBytes ? value : nullptr);
  }
  if (PyByteArray_Check(value)) {
    return PutRaw(kByteArray, PyByteArray_AS_STRING(value),
                  static_cast<size_t>(PyByteArray_GET_SIZE(value)), value);
  }
  if (PyList_Check(value)) {
    Remember(value);
    return PutSequence(kList, value, depth);
  }
  if (PyDict_Check(value)) {
    Remember(value);
    return PutDictClass(value) && PutDict(value, depth);
  }
  if (PyTuple_Check(value) || PyFrozenSet_Check(value)) {
    Remember(value);
    open_[value] = true;
    bool ok;
    if (PyFrozenSet_Check(value)) {
      ok = PutSet(kFrozenSet, value, depth);
    } else {
      ok = (PyTuple_CheckExact(value) || PutTupleClass(value, record)) &&
           PutSequence(kTuple, value, depth | (key ? 0x10000 : 0));
    }
    open_.erase(value);
    return ok;
  }
  if (PySet_Check(value)) {
    Remember(value);
    return PutSet(kSet, value, depth);
  }
  bool done = false;
  if (!PutByType(value, depth, &done) || done) return error_.empty();
  if (!record.empty() && IsPlainClass(type)) {
    PyRef dict(PyObject_GenericGetDict(value, nullptr));
    if (dict && PyDict_Check(dict.get())) {
      if (!key) return PutRecord(value, record);
      Remember(value);
      open_[value] = true;
      out_.push_back(kInlineRecord);
      PutBytes(record, &out_);
      bool ok = PutFields(value, depth);
      open_.erase(value);
      return ok;
    }
    PyErr_Clear();
  }
  return PutForeign(value);
}

bool Encoder::Finish() {
  for (size_t i = 0; i < pending_records_.size(); ++i) {
    if (!PutFields(pending_records_[i], 0)) return false;
  }
  return error_.empty();
}

// ---------------------------------------------------------------------------------------------------------- Decoder

Decoder::~Decoder() {
  for (PyObject* object : objects_) Py_XDECREF(object);
}

PyObject* Decoder::Fail(std::string why) {
  PyErr_Clear();
  if (error_.empty()) error_ = std::move(why);
  return nullptr;
}

bool Decoder::Charge(size_t bytes) {
  memory_ += bytes;
  if (memory_ <= limits_.memory) return true;
  Fail("the value would take too much memory");
  return false;
}

bool Decoder::GetByte(uint8_t* value) {
  if (at_ >= in_.size()) return Fail("the message ends early"), false;
  *value = static_cast<uint8_t>(in_[at_++]);
  return true;
}

bool Decoder::GetVarint(uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte;
    if (!GetByte(&byte)) return false;
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return Fail("a number is malformed"), false;
}

bool Decoder::GetBytes(std::string_view* bytes) {
  uint64_t size;
  if (!GetVarint(&size)) return false;
  if (size > in_.size() - at_) return Fail("the message ends early"), false;
  *bytes = in_.substr(at_, size);
  at_ += size;
  return true;
}

bool Decoder::GetCount(size_t* count, size_t cost_each) {
  uint64_t value;
  if (!GetVarint(&value)) return false;
  // Every element takes at least a byte.
  if (value > in_.size() - at_) return Fail("a count is larger than the message"), false;
  *count = value;
  return Charge(value * cost_each);
}

PyObject* Decoder::Get() { return error_.empty() ? GetDeep(0) : nullptr; }

PyObject* Decoder::GetDeep(int depth) {
  if (++nodes_ > limits_.nodes) return Fail("the value has too many parts");
  if (depth > limits_.depth + 2) return Fail("the value is nested too deep");
  uint8_t tag;
  if (!GetByte(&tag)) return nullptr;
  PyObject* value = GetTagged(tag, depth);
  if (value == nullptr && error_.empty()) Fail("a value cannot be built");
  return value;
}

PyObject* Decoder::GetScalar(uint8_t tag, bool* done) {
  *done = true;
  switch (tag) {
    case kNone:
      return Py_NewRef(Py_None);
    case kTrue:
      return Py_NewRef(Py_True);
    case kFalse:
      return Py_NewRef(Py_False);
    case kEllipsis:
      return Py_NewRef(Py_Ellipsis);
    case kNotImplemented:
      return Py_NewRef(Py_NotImplemented);
    case kInt: {
      uint64_t raw;
      if (!GetVarint(&raw) || !Charge(32)) return nullptr;
      return PyLong_FromLongLong(static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1));
    }
    case kFloat: {
      double number;
      if (in_.size() - at_ < sizeof number) return Fail("the message ends early");
      std::memcpy(&number, in_.data() + at_, sizeof number);
      at_ += sizeof number;
      return Charge(24) ? PyFloat_FromDouble(number) : nullptr;
    }
    case kComplex: {
      Py_complex number;
      if (in_.size() - at_ < sizeof number) return Fail("the message ends early");
      std::memcpy(&number, in_.data() + at_, sizeof number);
      at_ += sizeof number;
      return Charge(32) ? PyComplex_FromCComplex(number) : nullptr;
    }
    default:
      *done = false;
      return nullptr;
  }
}

PyObject* Decoder::GetTagged(uint8_t tag, int depth) {
  bool done;
  PyObject* scalar = GetScalar(tag, &done);
  if (done) return scalar;
  switch (tag) {
    case kBigInt:
      return GetBigInt();
    case kStr:
      return GetStr();
    case kBytes:
      return GetRawBytes(false, nullptr);
    case kByteArray:
      return GetRawBytes(true, nullptr);
    case kList:
      return GetList(nullptr, depth);
    case kTuple:
    case kNamedTuple:
      return GetTuple(tag == kNamedTuple, depth);
    case kDict:
      return GetDict(nullptr, depth);
    case kDictClass:
      return GetDictClass(nullptr, depth);
    case kSet:
    case kFrozenSet:
      return GetSet(tag == kFrozenSet, nullptr, depth);
    case kDeque:
      return GetDeque(nullptr, depth);
    case kView:
      return GetView(depth);
    case kRange:
    case kSlice:
      return GetRange(tag == kSlice, depth);
    case kFraction:
    case kDecimal:
      return GetNumber(tag, depth);
    case kDate:
    case kTime:
    case kDateTime:
    case kTimeDelta:
    case kZonedDateTime:
      return GetDate(tag, depth);
    case kTimeZone:
      return GetTimeZone(depth);
    case kArray:
    case kNumpyScalar:
      return GetNumpy(tag == kNumpyScalar, nullptr);
    case kException:
      return GetException(depth);
    case kRecord:
      return GetRecord(nullptr);
    case kInlineRecord:
      return GetInlineRecord(nullptr);
    case kEnum:
      return GetEnum(depth);
    case kNamed:
      return GetNamed();
    case kForeign:
      return GetForeign();
    case kReference:
      return GetReference();
    case kOrigin:
      return GetOrigin(depth);
    default:
      return Fail("an unknown kind of value");
  }
}

PyObject* Decoder::GetBigInt() {
  std::string_view bytes;
  if (!GetBytes(&bytes)) return nullptr;
  if (bytes.size() > limits_.int_bits / 8 + 1) return Fail("an integer is too large");
  if (!Charge(bytes.size() * 2 + 32)) return nullptr;
  return _PyLong_FromByteArray(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                               1, 1);
}

PyObject* Decoder::GetStr() {
  std::string_view bytes;
  // The widest form takes four bytes a character.
  if (!GetBytes(&bytes) || !Charge(bytes.size() * 2 + 56)) return nullptr;
  PyObject* text =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogatepass");
  if (text != nullptr && bytes.size() >= kMemoStringBytes) Set(Reserve(), text);
  return text;
}

PyObject* Decoder::GetRawBytes(bool array, PyObject* into) {
  std::string_view bytes;
  if (!GetBytes(&bytes) || !Charge(bytes.size() + 56)) return nullptr;
  Py_ssize_t size = static_cast<Py_ssize_t>(bytes.size());
  if (!array) {
    PyObject* value = PyBytes_FromStringAndSize(bytes.data(), size);
    if (value != nullptr && bytes.size() >= kMemoStringBytes) Set(Reserve(), value);
    return value;
  }
  PyRef value =
      into != nullptr ? PyRef::Borrow(into) : PyRef(PyByteArray_FromStringAndSize(nullptr, 0));
  if (!value || !PyByteArray_Check(value.get())) return nullptr;
  const std::string_view now(PyByteArray_AS_STRING(value.get()),
                             static_cast<size_t>(PyByteArray_GET_SIZE(value.get())));
  if (into != nullptr && now != bytes && OwnerOf(into) != nullptr)
    hooks_->Touched(OwnerOf(into), into);
  if (PyByteArray_Resize(value.get(), size) != 0) return nullptr;
  std::memcpy(PyByteArray_AS_STRING(value.get()), bytes.data(), bytes.size());
  Set(Reserve(), value.get());
  return value.release();
}

bool Decoder::GetItems(size_t count, int depth, std::vector<PyRef>* items) {
  items->reserve(std::min<size_t>(count, 4096));
  for (size_t i = 0; i < count; ++i) {
    PyRef item(GetDeep(depth + 1));
    if (!item) return false;
    items->push_back(std::move(item));
  }
  return true;
}

PyObject* Decoder::GetList(PyObject* into, int depth) {
  PyRef list = into != nullptr ? PyRef::Borrow(into) : PyRef(PyList_New(0));
  if (!list || !PyList_Check(list.get())) return Fail("a list replaces something else");
  size_t slot = Reserve();
  Set(slot, list.get());
  size_t count;
  if (!GetCount(&count, 16) || !Charge(72)) return nullptr;
  std::vector<PyRef> items;
  if (!GetItems(count, depth, &items)) return nullptr;
  if (into != nullptr) TellItemsOf(into, items);
  if (PyList_SetSlice(list.get(), 0, PyList_GET_SIZE(list.get()), nullptr) != 0) return nullptr;
  for (PyRef& item : items) {
    if (PyList_Append(list.get(), item.get()) != 0) return nullptr;
  }
  return list.release();
}

PyObject* Decoder::GetTuple(bool named, int depth) {
  size_t slot = Reserve();
  PyObject* record_class = nullptr;
  if (named) {
    std::string_view name;
    uint8_t tag;
    uint64_t count;
    if (!GetBytes(&name) || !GetVarint(&count)) return nullptr;
    if (count > kMaxFields || name.size() > kMaxNameBytes) return Fail("a named tuple is odd");
    std::vector<std::string> fields(count);
    for (std::string& field : fields) {
      std::string_view text;
      if (!GetBytes(&text)) return nullptr;
      if (text.size() > kMaxNameBytes) return Fail("a named tuple is odd");
      field = text;
    }
    if (!GetByte(&tag)) return nullptr;
    if (tag != kTuple) return Fail("a named tuple without items");
    record_class = hooks_->RecordClass(std::string(name));
    bool known = record_class != nullptr && PyType_Check(record_class) &&
                 PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(record_class), &PyTuple_Type);
    if (!known) record_class = hooks_->TupleClass(std::string(name), fields);
  }
  size_t count;
  std::vector<PyRef> items;
  if (!GetCount(&count, 8) || !Charge(56) || !GetItems(count, depth, &items)) return nullptr;
  PyRef tuple(PyTuple_New(static_cast<Py_ssize_t>(count)));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple.get(), i, items[i].release());
  if (record_class != nullptr && PyType_Check(record_class) &&
      PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(record_class), &PyTuple_Type)) {
    PyRef args(PyTuple_Pack(1, tuple.get()));
    if (!args) return nullptr;
    tuple = PyRef(
        PyTuple_Type.tp_new(reinterpret_cast<PyTypeObject*>(record_class), args.get(), nullptr));
    if (!tuple) return nullptr;
  }
  Set(slot, tuple.get());
  return tuple.release();
}

bool Decoder::HashesSpread(const std::vector<PyRef>& keys) {
  if (keys.size() <= limits_.equal_hashes) return true;
  std::vector<Py_hash_t> hashes;
  hashes.reserve(keys.size());
  for (const PyRef& key : keys) {
    Py_hash_t hash = PyObject_Hash(key.get());
    if (hash == -1 && PyErr_Occurred()) return Fail("a key cannot be hashed"), false;
    hashes.push_back(hash);
  }
  std::sort(hashes.begin(), hashes.end());
  size_t run = 1;
  for (size_t i = 1; i < hashes.size(); ++i) {
    run = hashes[i] == hashes[i - 1] ? run + 1 : 1;
    if (run > limits_.equal_hashes) return Fail("too many keys with the same hash"), false;
  }
  return true;
}

PyObject* Decoder::GetDict(PyObject* into, int depth) {
  PyRef dict = into != nullptr ? PyRef::Borrow(into) : PyRef(PyDict_New());
  if (!dict || !PyDict_Check(dict.get())) return Fail("a dict replaces something else");
  Set(Reserve(), dict.get());
  size_t count;
  if (!GetCount(&count, 110) || !Charge(64)) return nullptr;
  std::vector<PyRef> keys, values;
  for (size_t i = 0; i < count; ++i) {
    PyRef key(GetDeep(depth + 1));
    PyRef value(key ? GetDeep(depth + 1) : nullptr);
    if (!value) return nullptr;
    keys.push_back(std::move(key));
    values.push_back(std::move(value));
  }
  if (!HashesSpread(keys)) return nullptr;
  if (into != nullptr) TellDict(into, keys, values);
  // An OrderedDict keeps a list of its own, which the functions for dicts do not.
  bool ordered = PyObject_TypeCheck(dict.get(), g_known->ordered_dict);
  if (ordered) {
    PyRef cleared(PyObject_CallMethod(dict.get(), "clear", nullptr));
    if (!cleared) return nullptr;
  } else {
    PyDict_Clear(dict.get());
  }
  for (size_t i = 0; i < count; ++i) {
    int set = ordered ? PyObject_SetItem(dict.get(), keys[i].get(), values[i].get())
                      : PyDict_SetItem(dict.get(), keys[i].get(), values[i].get());
    if (set != 0) return Fail("a key cannot be hashed");
  }
  return dict.release();
}

PyObject* Decoder::GetDictClass(PyObject* into, int depth) {
  uint8_t kind, tag;
  std::string_view factory;
  if (!GetByte(&kind) || (kind == 'D' && !GetBytes(&factory)) || !GetByte(&tag)) return nullptr;
  PyTypeObject* type = kind == 'C'   ? g_known->counter
                       : kind == 'O' ? g_known->ordered_dict
                       : kind == 'D' ? g_known->default_dict
                                     : nullptr;
  if (type == nullptr || tag != kDict) return Fail("an unknown kind of dict");
  PyObject* maker = Py_None;
  if (!factory.empty()) {
    auto found = g_known->by_name.find(std::string(factory));
    if (found == g_known->by_name.end() || !PyType_Check(found->second))
      return Fail("an unknown factory");
    maker = found->second;
  }
  if (into != nullptr && Py_TYPE(into) != type) return Fail("a dict replaces something else");
  PyObject* callable = reinterpret_cast<PyObject*>(type);
  PyRef dict = into != nullptr ? PyRef::Borrow(into)
               : kind == 'D'   ? PyRef(PyObject_CallFunctionObjArgs(callable, maker, nullptr))
                               : PyRef(PyObject_CallNoArgs(callable));
  return dict ? GetDict(dict.get(), depth) : nullptr;
}

PyObject* Decoder::GetSet(bool frozen, PyObject* into, int depth) {
  size_t slot = Reserve();
  PyRef set = into != nullptr ? PyRef::Borrow(into) : PyRef();
  if (into != nullptr && (!PySet_Check(into) || frozen))
    return Fail("a set replaces something else");
  if (!set) set = PyRef(frozen ? PyFrozenSet_New(nullptr) : PySet_New(nullptr));
  if (!set) return nullptr;
  if (!frozen) Set(slot, set.get());
  size_t count;
  std::vector<PyRef> items;
  if (!GetCount(&count, 64) || !Charge(216) || !GetItems(count, depth, &items)) return nullptr;
  if (!HashesSpread(items)) return nullptr;
  if (frozen) {
    PyRef list(PyList_New(0));
    for (PyRef& item : items) {
      if (!list || PyList_Append(list.get(), item.get()) != 0) return nullptr;
    }
    set = PyRef(PyFrozenSet_New(list.get()));
    if (!set) return Fail("an element cannot be hashed");
    Set(slot, set.get());
    return set.release();
  }
  if (into != nullptr) TellItemsOf(into, items);
  PySet_Clear(set.get());
  for (PyRef& item : items) {
    if (PySet_Add(set.get(), item.get()) != 0) return Fail("an element cannot be hashed");
  }
  return set.release();
}

PyObject* Decoder::GetDeque(PyObject* into, int depth) {
  size_t slot = Reserve();
  PyRef maxlen(GetDeep(depth + 1));
  if (!maxlen) return nullptr;
  if (maxlen.get() != Py_None && !PyLong_CheckExact(maxlen.get()))
    return Fail("a deque's bound is odd");
  PyRef empty(PyTuple_New(0));
  PyRef deque;
  if (into != nullptr) {
    if (!PyObject_TypeCheck(into, g_known->deque)) return Fail("a deque replaces something else");
    deque = PyRef::Borrow(into);
  } else {
    deque = PyRef(PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(g_known->deque),
                                               empty.get(), maxlen.get(), nullptr));
  }
  if (!deque) return Fail("a deque cannot be built");
  Set(slot, deque.get());
  size_t count;
  std::vector<PyRef> items;
  if (!GetCount(&count, 16) || !Charge(640) || !GetItems(count, depth, &items)) return nullptr;
  if (into != nullptr) TellItemsOf(into, items);
  PyRef cleared(PyObject_CallMethod(deque.get(), "clear", nullptr));
  for (PyRef& item : items) {
    PyRef added(PyObject_CallMethod(deque.get(), "append", "O", item.get()));
    if (!added) return nullptr;
  }
  return cleared ? deque.release() : nullptr;
}

PyObject* Decoder::GetView(int depth) {
  uint8_t kind;
  size_t count;
  std::vector<PyRef> items;
  if (!GetByte(&kind) || !GetCount(&count, 110) || !GetItems(count, depth, &items)) return nullptr;
  if (!Charge(128)) return nullptr;
  PyRef dict(PyDict_New());
  if (!dict) return nullptr;
  if (kind == 'k' && !HashesSpread(items)) return nullptr;
  if (kind == 'i') {
    std::vector<PyRef> keys;
    for (const PyRef& item : items) {
      if (!PyTuple_CheckExact(item.get()) || PyTuple_GET_SIZE(item.get()) != 2) {
        return Fail("an item is no pair");
      }
      keys.push_back(PyRef::Borrow(PyTuple_GET_ITEM(item.get(), 0)));
    }
    if (!HashesSpread(keys)) return nullptr;
  }
  for (size_t i = 0; i < count; ++i) {
    PyRef number(PyLong_FromSize_t(i));
    PyObject* item = items[i].get();
    PyObject* key = kind == 'k' ? item : kind == 'i' ? PyTuple_GET_ITEM(item, 0) : number.get();
    PyObject* value = kind == 'k' ? Py_None : kind == 'i' ? PyTuple_GET_ITEM(item, 1) : item;
    if (PyDict_SetItem(dict.get(), key, value) != 0) return Fail("a key cannot be hashed");
  }
  const char* method = kind == 'k' ? "keys" : kind == 'i' ? "items" : "values";
  return PyObject_CallMethod(dict.get(), method, nullptr);
}

PyObject* Decoder::GetRange(bool slice, int depth) {
  PyRef start(GetDeep(depth + 1));
  PyRef stop(start ? GetDeep(depth + 1) : nullptr);
  PyRef step(stop ? GetDeep(depth + 1) : nullptr);
  if (!step || !Charge(80)) return nullptr;
  if (slice) return PySlice_New(start.get(), stop.get(), step.get());
  if (!PyLong_CheckExact(start.get()) || !PyLong_CheckExact(stop.get()) ||
      !PyLong_CheckExact(step.get())) {
    return Fail("a range has odd bounds");
  }
  return PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PyRange_Type), start.get(),
                                      stop.get(), step.get(), nullptr);
}

PyObject* Decoder::GetNumber(uint8_t tag, int depth) {
  if (!Charge(128)) return nullptr;
  PyRef first(GetDeep(depth + 1));
  if (!first) return nullptr;
  if (tag == kDecimal) {
    if (!PyUnicode_CheckExact(first.get())) return Fail("a Decimal without text");
    return PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(g_known->decimal), first.get(),
                                        nullptr);
  }
  PyRef second(GetDeep(depth + 1));
  if (!second) return nullptr;
  if (!PyLong_CheckExact(first.get()) || !PyLong_CheckExact(second.get()) ||
      _PyLong_NumBits(first.get()) > kFractionBits ||
      _PyLong_NumBits(second.get()) > kFractionBits) {
    return Fail("a Fraction's parts are odd");
  }
  return PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(g_known->fraction), first.get(),
                                      second.get(), nullptr);
}

PyObject* Decoder::GetTimeZone(int depth) {
  PyRef offset(GetDeep(depth + 1));
  if (!offset || !Charge(64)) return nullptr;
  if (!PyDelta_CheckExact(offset.get())) return Fail("a time zone is odd");
  return PyTimeZone_FromOffset(offset.get());
}

PyObject* Decoder::GetDate(uint8_t tag, int depth) {
  const bool zoned = tag == kZonedDateTime;
  if (zoned) {
    uint8_t inner;
    if (!GetByte(&inner)) return nullptr;
    if (inner != kDateTime) return Fail("a date is odd");
  }
  int count = tag == kDate || tag == kTimeDelta ? 3 : tag == kTime ? 5 : 8;
  int parts[8] = {};
  for (int i = 0; i < count; ++i) {
    PyRef part(GetDeep(depth + 1));
    if (!part) return nullptr;
    int overflow = 0;
    long value =
        PyLong_CheckExact(part.get()) ? PyLong_AsLongAndOverflow(part.get(), &overflow) : -1;
    if (!PyLong_CheckExact(part.get()) || overflow != 0 || value > 1'000'000'000 ||
        value < -1'000'000'000) {
      return Fail("a date's part is odd");
    }
    parts[i] = static_cast<int>(value);
  }
  if (!Charge(64)) return nullptr;
  if (zoned) {
    PyRef zone(GetDeep(depth + 1));
    if (!zone) return nullptr;
    if (!PyTZInfo_Check(zone.get())) return Fail("a time zone is odd");
    return PyDateTimeAPI->DateTime_FromDateAndTimeAndFold(parts[0], parts[1], parts[2], parts[3],
                                                          parts[4], parts[5], parts[6], zone.get(),
                                                          parts[7], PyDateTimeAPI->DateTimeType);
  }
  switch (tag) {
    case kDate:
      return PyDate_FromDate(parts[0], parts[1], parts[2]);
    case kTimeDelta:
      return PyDelta_FromDSU(parts[0], parts[1], parts[2]);
    case kTime:
      return PyTime_FromTimeAndFold(parts[0], parts[1], parts[2], parts[3], parts[4]);
    default:
      return PyDateTime_FromDateAndTimeAndFold(parts[0], parts[1], parts[2], parts[3], parts[4],
                                               parts[5], parts[6], parts[7]);
  }
}

PyObject* Decoder::GetNumpy(bool scalar, PyObject* into) {
  size_t slot = scalar ? 0 : Reserve();
  std::string_view dtype, bytes;
  uint64_t dims, size = 1;
  if (!GetBytes(&dtype) || !GetVarint(&dims)) return nullptr;
  if (!IsPlainDtype(dtype) || dims > kMaxDims) return Fail("a numpy value is odd");
  PyRef shape(PyTuple_New(static_cast<Py_ssize_t>(dims)));
  for (uint64_t i = 0; i < dims; ++i) {
    uint64_t extent;
    if (!GetVarint(&extent)) return nullptr;
    if (extent > limits_.bytes || (extent != 0 && size > limits_.bytes / extent)) {
      return Fail("a numpy array is too large");
    }
    size *= extent;
    PyTuple_SET_ITEM(shape.get(), i, PyLong_FromUnsignedLongLong(extent));
  }
  if (!GetBytes(&bytes) || !Charge(bytes.size() * 2 + 256)) return nullptr;
  if (dtype[1] == 'U') {
    for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
      uint32_t point;
      std::memcpy(&point, bytes.data() + i, 4);
      if (point > 0x10ffff) return Fail("a numpy string is malformed");
    }
  }
  PyRef numpy(PyImport_ImportModule("numpy"));
  if (!numpy) return Fail("numpy is not installed");
  PyRef data(PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
  PyRef name(PyUnicode_FromStringAndSize(dtype.data(), static_cast<Py_ssize_t>(dtype.size())));
  PyRef view(
      PyObject_CallMethod(numpy.get(), "ndarray", "OOO", shape.get(), name.get(), data.get()));
  PyRef value(view ? PyObject_CallMethod(view.get(), "copy", nullptr) : nullptr);
  if (!value) return Fail("a numpy value cannot be built");
  if (scalar) {
    PyRef empty(PyTuple_New(0));
    return PyObject_GetItem(value.get(), empty.get());
  }
  if (into != nullptr) {
    if (!HasBaseNamed(Py_TYPE(into), "numpy.ndarray"))
      return Fail("an array replaces something else");
    PyRef held(PyObject_CallMethod(into, "tobytes", nullptr));
    const bool same = held && PyBytes_Check(held.get()) &&
                      bytes == std::string_view(PyBytes_AS_STRING(held.get()),
                                                static_cast<size_t>(PyBytes_GET_SIZE(held.get())));
    if (!same && OwnerOf(into) != nullptr) hooks_->Touched(OwnerOf(into), into);
    PyErr_Clear();
    PyRef copied(PyObject_CallMethod(numpy.get(), "copyto", "OO", into, value.get()));
    if (!copied) return Fail("an array changed its shape");
    value = PyRef::Borrow(into);
  }
  Set(slot, value.get());
  return value.release();
}

PyObject* Decoder::GetException(int depth) {
  size_t slot = Reserve();
  std::string_view name;
  if (!GetBytes(&name) || !Charge(128)) return nullptr;
  PyObject* type = BuiltinException(std::string(name));
  PyRef args(GetDeep(depth + 1));
  if (!args) return nullptr;
  if (type == nullptr || !PyTuple_CheckExact(args.get())) return Fail("an exception is odd");
  PyRef value(PyObject_Call(type, args.get(), nullptr));
  if (!value) {  // some want other arguments than the ones they keep
    PyErr_Clear();
    value =
        PyRef(reinterpret_cast<PyTypeObject*>(PyExc_Exception)
                  ->tp_new(reinterpret_cast<PyTypeObject*>(PyExc_Exception), args.get(), nullptr));
  }
  if (!value) return nullptr;
  Set(slot, value.get());
  return value.release();
}

PyObject* Decoder::GetRecord(PyObject* into) {
  size_t slot = Reserve();
  std::string_view name;
  if (!GetBytes(&name) || !Charge(160)) return nullptr;
  PyObject* type = hooks_->RecordClass(std::string(name));
  if (type == nullptr || !PyType_Check(type) ||
      !IsPlainClass(reinterpret_cast<PyTypeObject*>(type))) {
    return Fail("a record of an unknown class");
  }
  PyRef record;
  if (into != nullptr) {
    if (reinterpret_cast<PyObject*>(Py_TYPE(into)) != type && !Reclass(into, type))
      return Fail("a record replaces something else");
    record = PyRef::Borrow(into);
  } else {
    hooks_->Made(reinterpret_cast<PyTypeObject*>(type));
    PyRef none(PyTuple_New(0));
    record =
        PyRef(PyBaseObject_Type.tp_new(reinterpret_cast<PyTypeObject*>(type), none.get(), nullptr));
  }
  if (!record) return Fail("a record cannot be built");
  Set(slot, record.get());
  pending_records_.push_back({record.get(), into != nullptr});
  return record.release();
}

PyObject* Decoder::GetInlineRecord(PyObject* into) {
  PyRef record(GetRecord(into));
  if (!record) return nullptr;
  pending_records_.pop_back();
  return FillRecord(record.get(), into != nullptr) ? record.release() : nullptr;
}

bool Decoder::FillRecord(PyObject* record, bool of_asker) {
  uint8_t tag;
  if (!GetByte(&tag)) return false;
  if (tag != kDict) return Fail("a record without fields"), false;
  // A dict of its own first: names must be strings, and the record may be known to trusted code already.
  size_t count;
  if (!GetCount(&count, 110)) return false;
  PyRef fields(PyDict_New());
  for (size_t i = 0; i < count; ++i) {
    PyRef key(GetDeep(1));
    PyRef value(key ? GetDeep(1) : nullptr);
    if (!value || !fields) return false;
    if (!PyUnicode_CheckExact(key.get())) return Fail("a field's name is no string"), false;
    if (PyDict_SetItem(fields.get(), key.get(), value.get()) != 0) return false;
  }
  PyRef dict(PyObject_GenericGetDict(record, nullptr));
  if (!dict || !PyDict_Check(dict.get())) return Fail("a record takes no fields"), false;
  if (hooks_->IsTester() && !KeepMethods(record, dict.get(), fields.get())) return false;
  if (of_asker && hooks_->GuardOf(Py_TYPE(record)) == Guard::kHidden &&
      !KeepPrivate(dict.get(), fields.get()))
    return false;
  if (of_asker) TellFields(record, dict.get(), fields.get());
  PyDict_Clear(dict.get());
  return PyDict_Update(dict.get(), fields.get()) == 0;
}

void Decoder::TellFields(PyObject* record, PyObject* before, PyObject* fields) {
  PyObject *name, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(fields, &at, &name, &value)) {
    PyObject* old = PyDict_GetItemWithError(before, name);
    if (old == nullptr) old = _PyType_Lookup(Py_TYPE(record), name);
    hooks_->Replaced(record, name, old, value);
  }
  at = 0;
  while (PyDict_Next(before, &at, &name, &value)) {
    if (PyDict_GetItemWithError(fields, name) == nullptr)
      hooks_->Replaced(record, name, value, Py_None);
  }
  PyErr_Clear();
}

// What the containers that hold `before` and `items` have lost. A function, or an object, that is in both has moved at most.
void Decoder::TellLost(PyObject* container, const std::vector<PyRef>& items) {
  PyRef before(PySequence_List(container));
  std::unordered_set<PyObject*> left;
  for (Py_ssize_t i = 0; before && i < PyList_GET_SIZE(before.get()); ++i) {
    PyObject* old = PyList_GET_ITEM(before.get(), i);
    const bool heap_type = (Py_TYPE(old)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
    if (!heap_type && !PyCallable_Check(old)) continue;
    if (left.empty()) {
      for (const PyRef& item : items) left.insert(item.get());
    }
    if (left.count(old) == 0) hooks_->Lost(container, old, items);
  }
  PyErr_Clear();
}

// `before`: what the container holds, as a list; of a set in any order.
void Decoder::TellTouched(PyObject* container, PyObject* before, const std::vector<PyRef>& items) {
  PyTypeObject* owner = OwnerOf(container);
  if (owner == nullptr || before == nullptr) return;
  const size_t count = static_cast<size_t>(PyList_GET_SIZE(before));
  bool same = count == items.size();
  bool links = true;
  for (size_t i = 0; i < items.size(); ++i) links = links && IsLink(owner, items[i].get());
  for (size_t i = 0; i < count; ++i) {
    PyObject* old = PyList_GET_ITEM(before, static_cast<Py_ssize_t>(i));
    links = links && IsLink(owner, old);
    same = same && (PySet_Check(container) ? PySet_Contains(container, items[i].get()) == 1
                                           : !DataDiffers(old, items[i].get()));
  }
  PyErr_Clear();
  if (!same && !links) hooks_->Touched(owner, container);
}

void Decoder::TellItemsOf(PyObject* container, const std::vector<PyRef>& items) {
  PyRef before(PySequence_List(container));
  if (before && !PySet_Check(container)) TellItems(before.get(), items);
  TellLost(container, items);
  TellTouched(container, before.get(), items);
  if (before) hooks_->Rewritten(container, before.get(), items);
  PyErr_Clear();
}

void Decoder::TellDict(PyObject* dict, const std::vector<PyRef>& keys,
                       const std::vector<PyRef>& values) {
  bool same = static_cast<size_t>(PyDict_Size(dict)) == keys.size();
  for (size_t i = 0; i < keys.size(); ++i) {
    PyRef before(Py_XNewRef(PyDict_GetItemWithError(dict, keys[i].get())));
    if (before) hooks_->Replaced(dict, keys[i].get(), before.get(), values[i].get());
    same = same && before && !DataDiffers(before.get(), values[i].get());
    PyErr_Clear();
  }
  PyRef held(PyDict_Values(dict));
  if (held) TellLost(held.get(), values);
  PyTypeObject* owner = OwnerOf(dict);
  if (!same && owner != nullptr) hooks_->Touched(owner, dict);
  if (!same) TellRewritten(dict, keys, values);
}

void Decoder::TellRewritten(PyObject* dict, const std::vector<PyRef>& keys,
                            const std::vector<PyRef>& values) {
  PyRef before(PyDict_Items(dict));
  std::vector<PyRef> pairs;
  for (size_t i = 0; i < keys.size(); ++i)
    pairs.emplace_back(PyTuple_Pack(2, keys[i].get(), values[i].get()));
  if (before) hooks_->Rewritten(dict, before.get(), pairs);
  PyErr_Clear();
}

// As `record.__class__ = type` does, between classes that both are trusted.
bool Decoder::Reclass(PyObject* record, PyObject* type) {
  PyRef name(PyUnicode_FromString("__class__"));
  if (!hooks_->IsTester() || !name) return false;
  hooks_->Reclassed(record);
  if (PyObject_GenericSetAttr(record, name.get(), type) == 0) return true;
  PyErr_Clear();
  return false;
}

// An object that was in the list before has changed its place only; a function has changed what is called there.
void Decoder::TellItems(PyObject* list, const std::vector<PyRef>& items) {
  const size_t shared = std::min(items.size(), static_cast<size_t>(PyList_GET_SIZE(list)));
  std::unordered_set<PyObject*> before;
  for (size_t i = 0; i < shared; ++i) {
    PyObject* old = PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i));
    PyObject* item = items[i].get();
    const bool heap_type = (Py_TYPE(old)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
    if (item == old || (!heap_type && !PyCallable_Check(old))) continue;
    if (before.empty()) {
      for (Py_ssize_t j = 0; j < PyList_GET_SIZE(list); ++j)
        before.insert(PyList_GET_ITEM(list, j));
    }
    if (PyCallable_Check(old) || before.count(item) == 0)
      hooks_->Replaced(list, nullptr, old, item);
  }
}

// A field of the box's takes no place of what the trusted class computes: methods, properties and the like stay the class's own,
// or what trusted code has put there.
bool Decoder::KeepMethods(PyObject* record, PyObject* before, PyObject* fields) {
  PyRef names(PyDict_Keys(fields));
  for (Py_ssize_t i = 0; names && i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(names.get(), i);
    PyObject* of_class = _PyType_Lookup(Py_TYPE(record), name);
    if (of_class == nullptr ||
        (!PyCallable_Check(of_class) && Py_TYPE(of_class)->tp_descr_get == nullptr))
      continue;
    PyObject* own = PyDict_GetItemWithError(before, name);
    const int done =
        own != nullptr ? PyDict_SetItem(fields, name, own) : PyDict_DelItem(fields, name);
    if (done != 0) return false;
  }
  return static_cast<bool>(names);
}

PyObject* Decoder::GetEnum(int depth) {
  std::string_view name, member;
  if (!GetBytes(&name) || !GetBytes(&member)) return nullptr;
  PyRef value(GetDeep(depth + 1));
  if (!value) return nullptr;
  PyObject* type = hooks_->RecordClass(std::string(name));
  if (type == nullptr || !PyObject_TypeCheck(type, g_known->enum_meta)) {
    PyObject* stand_in = hooks_->EnumStandIn(std::string(name), std::string(member), value.get());
    return stand_in != nullptr ? stand_in : Fail("an unknown enum");
  }
  PyRef members(PyObject_GetAttrString(type, "_member_map_"));
  PyRef key(PyUnicode_DecodeUTF8(member.data(), static_cast<Py_ssize_t>(member.size()), "strict"));
  PyObject* found = members && key && PyDict_Check(members.get())
                        ? PyDict_GetItemWithError(members.get(), key.get())
                        : nullptr;
  if (found == nullptr) return Fail("an unknown enum member");
  return Py_NewRef(found);
}

PyObject* Decoder::GetNamed() {
  std::string_view name;
  if (!GetBytes(&name)) return nullptr;
  auto found = g_known->by_name.find(std::string(name));
  if (found == g_known->by_name.end()) return Fail("an unknown name");
  // Functions cross from the tester to the box only, which is the side that sends none.
  if (!PyType_Check(found->second) && hooks_->IsTester()) return Fail("a function by name");
  return Py_NewRef(found->second);
}

PyObject* Decoder::GetForeign() {
  uint8_t kind, flags;
  uint64_t id;
  std::string_view about;
  if (!GetByte(&kind) || !GetVarint(&id) || !GetByte(&flags) || !Charge(96)) return nullptr;
  const bool has_about =
      static_cast<Foreign>(kind) == Foreign::kCallback || (flags & kHandleBuiltin) != 0;
  if (has_about && !GetBytes(&about)) return nullptr;
  PyObject* value = hooks_->Import(static_cast<Foreign>(kind), id, flags, about);
  return value != nullptr ? value : Fail("an unknown handle");
}

PyObject* Decoder::GetReference() {
  uint64_t index;
  if (!GetVarint(&index)) return nullptr;
  if (index >= objects_.size() || objects_[index] == nullptr) return Fail("a reference to nothing");
  return Py_NewRef(objects_[index]);
}

PyObject* Decoder::GetOrigin(int depth) {
  uint64_t index;
  uint8_t tag;
  if (!GetVarint(&index) || !GetByte(&tag)) return nullptr;
  if (origins_ == nullptr || index >= origins_->size()) return Fail("an unknown argument");
  PyObject* into = (*origins_)[index];
  switch (tag) {
    case kByteArray:
      return GetRawBytes(true, into);
    case kList:
      return GetList(into, depth);
    case kDict:
      return GetDict(into, depth);
    case kDictClass:
      return GetDictClass(into, depth);
    case kSet:
      return GetSet(false, into, depth);
    case kDeque:
      return GetDeque(into, depth);
    case kArray:
      return GetNumpy(false, into);
    case kRecord:
      return GetRecord(into);
    case kInlineRecord:
      return GetInlineRecord(into);
    case kOrigin:
      return Fail("an argument within an argument");
    default:  // it has become something that is not changed in place
      return GetTagged(tag, depth);
  }
}

bool Decoder::Finish() {
  for (size_t i = 0; i < pending_records_.size(); ++i) {
    if (!FillRecord(pending_records_[i].record, pending_records_[i].of_asker)) {
      Fail("a record cannot be filled");
      return false;
    }
  }
  return error_.empty();
}

}  // namespace assay::jail
