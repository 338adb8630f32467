// Hostile bytes for the decoder of what a box sends (sandbox/jail/py_transfer.h): whatever they are, it either builds values
// within its bounds or says that the protocol is broken, and leaves no Python error behind. What it builds goes through the
// encoder and back once more, which must succeed for plain data.
#include "sandbox/jail/py_transfer.h"

#include <cstdlib>

namespace {

using assay::jail::Decoder;
using assay::jail::Encoder;
using assay::jail::Foreign;
using assay::jail::PyRef;
using assay::jail::TransferLimits;

class Hooks : public assay::jail::TransferHooks {
 public:
  Foreign Export(PyObject*, uint64_t* id, uint8_t*, std::string*) override {
    *id = 1;
    return Foreign::kHandle;
  }
  PyObject* Import(Foreign kind, uint64_t id, uint8_t, std::string_view) override {
    return kind == Foreign::kHandle && id < 100 ? PyLong_FromUnsignedLongLong(id) : nullptr;
  }
  std::string RecordName(PyTypeObject* type) override {
    return reinterpret_cast<PyObject*>(type) == record ? "R" : "";
  }
  PyObject* RecordClass(const std::string& name) override { return name == "R" ? record : nullptr; }
  PyObject* EnumStandIn(const std::string&, const std::string&, PyObject*) override {
    return nullptr;
  }
  bool IsTester() const override { return true; }

  PyObject* record = nullptr;
};

Hooks* Start() {
  Py_InitializeEx(0);
  if (!assay::jail::PrepareTransfer()) std::abort();
  auto* hooks = new Hooks;
  hooks->record = PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(){}", "R");
  return hooks;
}

TransferLimits SmallLimits() {
  TransferLimits limits;
  limits.bytes = 1 << 20;
  limits.nodes = 1 << 14;
  limits.memory = 16 << 20;
  limits.int_bits = 1 << 16;
  return limits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Hooks* hooks = Start();
  const TransferLimits limits = SmallLimits();
  // The asker's own objects, which a message may change in place.
  PyRef list(PyList_New(0)), dict(PyDict_New()), set(PySet_New(nullptr)),
      array(PyByteArray_FromStringAndSize("", 0));
  std::vector<PyObject*> origins = {list.get(), dict.get(), set.get(), array.get()};
  Decoder decoder({reinterpret_cast<const char*>(data), size}, hooks, limits);
  decoder.SetOrigins(&origins);
  PyRef value(decoder.Get());
  bool whole = value && decoder.Finish();
  if (PyErr_Occurred() || (!whole && decoder.error().empty())) std::abort();
  if (whole) {
    Encoder encoder(hooks, limits);
    bool written = encoder.Put(value.get()) && encoder.Finish();
    if (PyErr_Occurred()) std::abort();
    if (written) {
      Decoder again(encoder.bytes(), hooks, TransferLimits());
      PyRef copy(again.Get());
      if (!copy || !again.Finish() || !again.AtEnd()) std::abort();
    }
  }
  // A cycle that a message made is garbage now.
  static int runs = 0;
  if (++runs % 256 == 0) PyGC_Collect();
  return 0;
}
