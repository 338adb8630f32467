#include "python/convert.h"

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

namespace nb = nanobind;

namespace assay::python {
namespace {

Json Convert(nb::handle value, int depth);

// Of what Python's UTF-8 refuses: surrogates that stand alone. Its own "replace" would say "?".
std::string WithoutSurrogates(nb::handle text) {
  std::string out;
  const auto kind = PyUnicode_KIND(text.ptr());
  const void* data = PyUnicode_DATA(text.ptr());
  for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(text.ptr()); ++i) {
    Py_UCS4 c = PyUnicode_READ(kind, data, i);
    if (c >= 0xD800 && c <= 0xDFFF) c = 0xFFFD;
    if (c < 0x80) {
      out.push_back(static_cast<char>(c));
    } else if (c < 0x800) {
      out.push_back(static_cast<char>(0xC0 | (c >> 6)));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | (c >> 12)));
      out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    } else {
      out.push_back(static_cast<char>(0xF0 | (c >> 18)));
      out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    }
  }
  return out;
}

std::string TextOf(nb::handle text) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (data != nullptr) return {data, static_cast<size_t>(size)};
  PyErr_Clear();
  return WithoutSurrogates(text);
}

std::string StrOf(nb::handle value) {
  nb::object text = nb::steal(PyObject_Str(value.ptr()));
  if (!text.is_valid()) {
    PyErr_Clear();
    return "";
  }
  return TextOf(text);
}

Json IntOf(nb::handle value) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow == 0) return static_cast<int64_t>(number);
  nb::object text = nb::steal(PyObject_Str(value.ptr()));
  if (!text.is_valid()) {  // more digits than Python prints
    PyErr_Clear();
    return {};
  }
  return Json::BigNumber{TextOf(text)};
}

Json DictOf(nb::handle value, int depth) {
  Json::Object members;
  members.reserve(static_cast<size_t>(PyDict_Size(value.ptr())));
  PyObject *key = nullptr, *item = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(value.ptr(), &at, &key, &item)) {
    std::string name = PyUnicode_Check(key) ? TextOf(key) : StrOf(key);
    members.push_back({std::move(name), Convert(item, depth + 1)});
  }
  return Json(std::move(members));
}

// PySequence_Fast's items; `value` is a list or a tuple.
Json ListOf(nb::handle value, int depth) {
  Json::Array items;
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(value.ptr());
  items.reserve(static_cast<size_t>(size));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value.ptr()); ++i)
    items.push_back(Convert(PySequence_Fast_GET_ITEM(value.ptr(), i), depth + 1));
  return Json(std::move(items));
}

// Scalars and arrays of other libraries, which know a plain form of themselves.
Json ForeignOf(nb::handle value, int depth) {
  const std::string_view type = Py_TYPE(value.ptr())->tp_name;
  if (type.find("NAType") != type.npos || type.find("NaTType") != type.npos) return {};
  for (const char* method : {"tolist", "item", "model_dump", "isoformat"}) {
    nb::object call = nb::steal(PyObject_GetAttrString(value.ptr(), method));
    nb::object plain = call.is_valid() ? nb::steal(PyObject_CallNoArgs(call.ptr())) : nb::object();
    PyErr_Clear();
    if (plain.is_valid() && Py_TYPE(plain.ptr()) != Py_TYPE(value.ptr()))
      return Convert(plain, depth + 1);
  }
  // Mappings that are no dict; numbers that are no float (Decimal, Fraction).
  if (PyMapping_Check(value.ptr()) != 0) {
    nb::object dict =
        nb::steal(PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyDict_Type), value.ptr()));
    PyErr_Clear();
    if (dict.is_valid()) return DictOf(dict, depth);
  }
  if (PyNumber_Check(value.ptr()) != 0) return StrOf(value);
  return {};
}

Json Convert(nb::handle value, int depth) {
  PyObject* p = value.ptr();
  if (p == nullptr || p == Py_None || depth > Json::kMaxDepth) return {};
  if (PyUnicode_Check(p)) return TextOf(value);
  if (PyBool_Check(p)) return p == Py_True;
  if (PyLong_Check(p)) return IntOf(value);
  if (PyFloat_Check(p)) {
    const double number = PyFloat_AS_DOUBLE(p);
    return std::isfinite(number) ? Json(number) : Json();
  }
  if (PyDict_Check(p)) return DictOf(value, depth);
  if (PyList_Check(p) || PyTuple_Check(p)) return ListOf(value, depth);
  if (PyBytes_Check(p))
    return TextOf(ToStr({PyBytes_AS_STRING(p), static_cast<size_t>(PyBytes_GET_SIZE(p))}));
  return ForeignOf(value, depth);
}

}  // namespace

Json ToJson(nb::handle value) { return Convert(value, 0); }

nb::object ToStr(std::string_view text) {
  return nb::steal(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

nb::object FromJson(const Json& value) {
  if (const bool* flag = value.AsBool()) return nb::bool_(*flag);
  if (const int64_t* number = value.AsInt()) return nb::int_(*number);
  if (value.IsDouble()) return nb::float_(value.NumberOr(0));
  if (value.IsNumber()) {
    const std::string token = value.ScalarText();
    nb::object number = nb::steal(PyLong_FromString(token.c_str(), nullptr, 10));
    if (number.is_valid()) return number;
    PyErr_Clear();
    return nb::float_(value.NumberOr(0));
  }
  if (const std::string* text = value.AsString()) return ToStr(*text);
  if (const Json::Array* items = value.AsArray()) {
    nb::list out;
    for (const Json& item : *items) out.append(FromJson(item));
    return out;
  }
  if (const Json::Object* members = value.AsObject()) {
    nb::dict out;
    for (const Json::Member& member : *members) out[ToStr(member.key)] = FromJson(member.value);
    return out;
  }
  return nb::none();
}

}  // namespace assay::python
