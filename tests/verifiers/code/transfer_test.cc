// Values between box and tester: what comes out is what went in, what is hostile is refused within bounds.
#include "sandbox/jail/py_transfer.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace assay::jail {
namespace {

class Hooks : public TransferHooks {
 public:
  Foreign Export(PyObject* value, uint64_t* id, uint8_t* flags, std::string*) override {
    if (!handles) return Foreign::kNone;
    kept.push_back(PyRef::Borrow(value));
    *id = kept.size();
    *flags = PyCallable_Check(value) ? kHandleCallable : 0;
    return Foreign::kHandle;
  }
  PyObject* Import(Foreign kind, uint64_t id, uint8_t, std::string_view) override {
    if (kind != Foreign::kHandle || id == 0 || id > kept.size()) return nullptr;
    return Py_NewRef(kept[id - 1].get());
  }
  std::string RecordName(PyTypeObject* type) override {
    PyRef name(PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__name__"));
    std::string text = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : "";
    return records.count(text) != 0 ? text : "";
  }
  PyObject* RecordClass(const std::string& name) override {
    auto found = records.find(name);
    return found == records.end() ? nullptr : found->second;
  }
  PyObject* EnumStandIn(const std::string&, const std::string&, PyObject*) override {
    return nullptr;
  }
  bool IsTester() const override { return true; }

  bool handles = false;
  std::vector<PyRef> kept;
  std::unordered_map<std::string, PyObject*> records;
};

class TransferTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!Py_IsInitialized()) Py_InitializeEx(0);
    ASSERT_TRUE(PrepareTransfer());
  }

  void SetUp() override { globals_ = PyRef(PyDict_New()); }
  void TearDown() override { EXPECT_EQ(PyErr_Occurred(), nullptr); }

  void Exec(const char* code) {
    PyRef done(PyRun_String(code, Py_file_input, globals_.get(), globals_.get()));
    if (!done) PyErr_Print();
    ASSERT_TRUE(done);
  }
  PyRef Eval(const char* code) {
    PyRef value(PyRun_String(code, Py_eval_input, globals_.get(), globals_.get()));
    if (!value) PyErr_Print();
    return value;
  }
  // `value` through bytes; null with `error_` set if either side refuses.
  PyRef Through(PyObject* value, const TransferLimits& limits = {}) {
    Encoder encoder(&hooks_, limits);
    if (!encoder.Put(value) || !encoder.Finish()) {
      error_ = "encoder: " + encoder.error();
      return PyRef();
    }
    Decoder decoder(encoder.bytes(), &hooks_, limits);
    PyRef copy(decoder.Get());
    if (!copy || !decoder.Finish() || !decoder.AtEnd()) {
      error_ = "decoder: " + decoder.error();
      return PyRef();
    }
    return copy;
  }
  bool Same(const char* code) {
    PyRef value = Eval(code);
    PyRef copy = value ? Through(value.get()) : PyRef();
    if (!copy) return false;
    PyRef types(PyTuple_Pack(2, value.get(), copy.get()));
    PyDict_SetItemString(globals_.get(), "pair", types.get());
    return Eval(
               "type(pair[0]) is type(pair[1]) and pair[0] == pair[1] and repr(pair[0]) == "
               "repr(pair[1])")
               .get() == Py_True;
  }

  Hooks hooks_;
  PyRef globals_;
  std::string error_;
};

TEST_F(TransferTest, PlainDataComesOutAsItWentIn) {
  Exec(
      "from collections import Counter, OrderedDict, defaultdict, deque\nfrom fractions import "
      "Fraction\nfrom decimal import Decimal\nimport datetime\n"
      "moved = OrderedDict(a=1, b=2)\nmoved.move_to_end('a')");
  for (const char* code : {"None",
                           "True",
                           "...",
                           "0",
                           "-1",
                           "2 ** 63 - 1",
                           "-2 ** 63",
                           "2 ** 63",
                           "-2 ** 200",
                           "10 ** 3000",
                           "1.5",
                           "-0.0",
                           "float('inf')",
                           "1e-320",
                           "2 - 3j",
                           "''",
                           "'a' * 100",
                           "'\\u00e9\\ud800\\U0001f600'",
                           "b'\\x00\\xff'",
                           "bytearray(b'ab')",
                           "[]",
                           "[1, [2, [3]]]",
                           "(1, (2,), ())",
                           "[0] * 80",
                           "tuple(range(80))",
                           "{'a': [1], 2: None}",
                           "{1, 2, 3}",
                           "frozenset([frozenset(), 'x'])",
                           "deque([1, 2], maxlen=3)",
                           "Fraction(-3, 7)",
                           "Decimal('-1.10E+5')",
                           "Decimal('NaN').copy_sign(1) and 1",
                           "range(1, 10, 3)",
                           "slice(1, None, 2)",
                           "datetime.date(2026, 1, 31)",
                           "datetime.datetime(2026, 1, 31, 12, 30, 5, 7)",
                           "datetime.timedelta(-1, 2, 3)",
                           "datetime.time(1, 2)",
                           "int",
                           "ValueError",
                           "type(None)",
                           "{'k': 'v' * 70}.keys()",
                           "{1: 2}.items()",
                           "Counter('aab')",
                           "moved",
                           "defaultdict(list, a=[1])",
                           "datetime.timezone(datetime.timedelta(hours=2))",
                           "datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)"}) {
    EXPECT_TRUE(Same(code)) << code << " " << error_;
  }
}

TEST_F(TransferTest, SubclassesAreTheirBasesData) {
  Exec(
      "class L(list):\n"
      "    def __eq__(self, o): return True\n"
      "    def __iter__(self): return iter('lies')\n"
      "    def __len__(self): return 7\n"
      "class D(dict):\n"
      "    def items(self): return [('lies', 1)]\n"
      "    def __getitem__(self, k): return 'lies'\n"
      "class F(float):\n"
      "    def __float__(self): return 9.0\n"
      "class S(str):\n"
      "    def __str__(self): return 'lies'\n"
      "class Z(set):\n"
      "    def __iter__(self): return iter('lies')\n"
      "value = [L([1, 2]), D(a=1), F(2.5), S('x'), Z([1])]");
  PyRef copy = Through(Eval("value").get());
  ASSERT_TRUE(copy) << error_;
  PyDict_SetItemString(globals_.get(), "copy", copy.get());
  EXPECT_EQ(Eval("copy == [[1, 2], {'a': 1}, 2.5, 'x', {1}]").get(), Py_True);
  EXPECT_EQ(Eval("[type(x) for x in copy] == [list, dict, float, str, set]").get(), Py_True);
}

// The receiver makes a class of its own with the same fields; names that are none make a tuple.
TEST_F(TransferTest, NamedTuplesKeepTheirFields) {
  Exec(
      "from collections import namedtuple\nPair = namedtuple('Pair', 'a b')\n"
      "class Sly(tuple):\n    _fields = ('x; import os', 'class')\n"
      "class Short(tuple):\n    _fields = ('a',)\n"
      "value = [Pair(1, [2]), Sly((1, 2)), Short((1, 2)), Pair(3, 4)]");
  PyRef copy = Through(Eval("value").get());
  ASSERT_TRUE(copy) << error_;
  PyDict_SetItemString(globals_.get(), "copy", copy.get());
  EXPECT_EQ(Eval("copy == value and copy[0].b == [2] and repr(copy[3]) == 'Pair(a=3, b=4)'").get(),
            Py_True);
  EXPECT_EQ(Eval("type(copy[0]) is type(copy[3]) and type(copy[0]) is not Pair").get(), Py_True);
  EXPECT_EQ(Eval("type(copy[1]) is tuple and type(copy[2]) is tuple").get(), Py_True);
}

TEST_F(TransferTest, AliasingAndCyclesSurvive) {
  Exec("a = [1]\na.append(a)\nd = {}\nd['self'] = d\nvalue = [a, a, d, 'x' * 100, 'x' * 100]");
  PyRef copy = Through(Eval("value").get());
  ASSERT_TRUE(copy) << error_;
  PyDict_SetItemString(globals_.get(), "copy", copy.get());
  EXPECT_EQ(
      Eval("copy[0] is copy[1] and copy[0][1] is copy[0] and copy[2]['self'] is copy[2]").get(),
      Py_True);
}

TEST_F(TransferTest, RecordsCrossByNameAndHoldLongChains) {
  Exec(
      "class Node:\n    def __init__(self, v, n=None): self.v, self.n = v, n\n"
      "head = None\nfor i in range(50000): head = Node(i, head)\nring = Node(1)\nring.n = ring");
  hooks_.records["Node"] = PyDict_GetItemString(globals_.get(), "Node");
  PyRef copy = Through(Eval("[head, ring]").get());
  ASSERT_TRUE(copy) << error_;
  PyDict_SetItemString(globals_.get(), "copy", copy.get());
  Exec("count, at = 0, copy[0]\nwhile at: count, at = count + 1, at.n");
  EXPECT_EQ(Eval("count == 50000 and type(copy[0]) is Node and copy[0].v == 49999 and copy[1].n is "
                 "copy[1]")
                .get(),
            Py_True);
  // Taken apart link by link: the interpreter itself would do it by recursion.
  Exec("del copy\nwhile head: head = head.n");
}

TEST_F(TransferTest, ARepliesChangesLandInTheAskersObjects) {
  Exec("a = [3, 1]\nb = {'k': a}\nargs = (a, b, {1}, bytearray(b'x'))");
  PyRef args = Eval("args");
  Encoder request(&hooks_, {});
  ASSERT_TRUE(request.Put(args.get()) && request.Finish());
  Decoder theirs(request.bytes(), &hooks_, {});
  PyRef received(theirs.Get());
  ASSERT_TRUE(received && theirs.Finish());
  PyDict_SetItemString(globals_.get(), "r", received.get());
  Exec("r[0].sort()\nr[1]['new'] = r[0]\nr[2].add(2)\nr[3].extend(b'yz')\nanswer = [r[0], 5]");
  Encoder reply(&hooks_, {});
  reply.SetOrigins(theirs.objects());
  ASSERT_TRUE(reply.Put(Eval("answer").get()) && reply.Put(received.get()) && reply.Finish())
      << reply.error();
  Decoder mine(reply.bytes(), &hooks_, {});
  mine.SetOrigins(&request.objects());
  PyRef answer(mine.Get());
  PyRef again(answer ? mine.Get() : nullptr);
  ASSERT_TRUE(again && mine.Finish() && mine.AtEnd()) << mine.error();
  PyDict_SetItemString(globals_.get(), "got", answer.get());
  EXPECT_EQ(
      Eval("got[0] is a and a == [1, 3] and b == {'k': [1, 3], 'new': [1, 3]} and b['new'] is a")
          .get(),
      Py_True);
  EXPECT_EQ(Eval("args[2] == {1, 2} and args[3] == b'xyz'").get(), Py_True);
}

TEST_F(TransferTest, BoundsHold) {
  TransferLimits small;
  small.bytes = 1 << 16;
  small.depth = 50;
  small.nodes = 1000;
  small.int_bits = 4096;
  Exec("deep = []\nfor i in range(60): deep = [deep]");
  for (const char* code : {"deep", "'x' * 70000", "list(range(2000))", "1 << 5000"}) {
    EXPECT_FALSE(Through(Eval(code).get(), small)) << code;
  }
  // Written without bounds, read with them: the reader's hold on their own.
  for (const char* code : {"deep", "list(range(2000))", "1 << 5000"}) {
    Encoder encoder(&hooks_, {});
    ASSERT_TRUE(encoder.Put(Eval(code).get()) && encoder.Finish());
    Decoder decoder(encoder.bytes(), &hooks_, small);
    EXPECT_FALSE(PyRef(decoder.Get())) << code;
    EXPECT_FALSE(decoder.error().empty());
  }
  EXPECT_FALSE(Through(Eval("{i * (2 ** 61 - 1): 0 for i in range(5000)}").get()));
  EXPECT_NE(error_.find("hash"), std::string::npos) << error_;
  EXPECT_FALSE(Through(Eval("{i * (2 ** 61 - 1) for i in range(5000)}").get()));
  EXPECT_TRUE(Through(Eval("{i: 0 for i in range(5000)}").get())) << error_;
}

TEST_F(TransferTest, NearestExceptions) {
  Exec(
      "class A(KeyError): pass\nclass B(SystemExit): pass\nclass C(Exception): pass\nclass "
      "D(BaseException): pass");
  auto nearest = [this](const char* code) {
    return NearestBuiltinException(reinterpret_cast<PyTypeObject*>(Eval(code).get()));
  };
  EXPECT_EQ(nearest("A"), "KeyError");
  EXPECT_EQ(nearest("B"), "RuntimeError");
  EXPECT_EQ(nearest("C"), "Exception");
  EXPECT_EQ(nearest("D"), "BaseException");
  EXPECT_EQ(nearest("StopIteration"), "RuntimeError");
  EXPECT_EQ(nearest("KeyboardInterrupt"), "RuntimeError");
  for (const char* name :
       {"SystemExit", "KeyboardInterrupt", "StopIteration", "GeneratorExit", "int", "eval"}) {
    EXPECT_EQ(BuiltinException(name), nullptr) << name;
  }
}

// Bytes that were damaged in every way: decoded or refused, never a crash, never a Python error left behind.
TEST_F(TransferTest, DamagedBytesAreRefused) {
  Exec(
      "from fractions import Fraction\nfrom decimal import Decimal\nfrom collections import "
      "Counter, OrderedDict, defaultdict, deque, namedtuple\nimport datetime\nPair = "
      "namedtuple('Pair', 'a "
      "b')\n"
      "class Node:\n    pass\nn = Node()\nn.x = [n, {'a': (1, 2.5, 'text' * 30)}]\n"
      "value = [n, {1: {2, 3}, 'k': frozenset('ab')}, deque([1]), Fraction(1, 3), Decimal('1.5'), "
      "range(4), slice(1),\n"
      "    1 << 100, b'bytes', bytearray(b'more'), 3j, ValueError('no', 1), {1: 2}.keys(), "
      "datetime.date(2026, 1, 1), int, Counter('ab'), OrderedDict(x=1), defaultdict(int, y=2), "
      "Pair(1, 2), "
      "datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)]");
  hooks_.records["Node"] = PyDict_GetItemString(globals_.get(), "Node");
  Encoder encoder(&hooks_, {});
  ASSERT_TRUE(encoder.Put(Eval("value").get()) && encoder.Finish()) << encoder.error();
  const std::string sound = encoder.bytes();
  PyRef list(PyList_New(0)), dict(PyDict_New());
  std::vector<PyObject*> origins = {list.get(), dict.get()};
  Rng rng(7);
  int refused = 0;
  for (int round = 0; round < 30000; ++round) {
    std::string bytes = sound;
    for (uint64_t i = rng.Below(4) + 1; i > 0; --i) {
      size_t at = rng.Below(bytes.size());
      switch (rng.Below(4)) {
        case 0:
          bytes[at] = static_cast<char>(rng.Next());
          break;
        case 1:
          bytes.erase(at, rng.Below(8) + 1);
          break;
        case 2:
          bytes.insert(at, 1, "NTFEicsbBltPdCSzqkr/QDjhJwZUAGxMmeyHRO"[rng.Below(38)]);
          break;
        default:
          bytes.insert(at, bytes.substr(rng.Below(bytes.size()), rng.Below(20)));
      }
      if (bytes.empty()) bytes = "N";
    }
    TransferLimits limits;
    limits.memory = 64 << 20;
    Decoder decoder(bytes, &hooks_, limits);
    decoder.SetOrigins(&origins);
    PyRef value(decoder.Get());
    bool whole = value && decoder.Finish();
    ASSERT_EQ(PyErr_Occurred(), nullptr) << "round " << round;
    ASSERT_NE(whole, !decoder.error().empty()) << "round " << round;
    refused += whole ? 0 : 1;
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace assay::jail
