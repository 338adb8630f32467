// What `assay serve` is made of, without a socket: fields of requests, base64, versions, the queue's turns and bounds.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cli/serve/base64.h"
#include "cli/serve/fields.h"
#include "cli/serve/run_request.h"
#include "cli/serve/server.h"
#include "cli/serve/versions.h"
#include "cli/serve/vet.h"
#include "cli/serve/work_pool.h"
#include "core/text.h"

namespace assay {
namespace {

TEST(Base64, ThereAndBack) {
  for (size_t size = 0; size < 50; ++size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(i * 37 + size));
    EXPECT_EQ(Base64Decoded(Base64Encoded(bytes)), bytes);
  }
  EXPECT_EQ(Base64Encoded("hello"), "aGVsbG8=");
  EXPECT_EQ(Base64Decoded("aGVs\nbG8"), "hello");
  EXPECT_EQ(Base64Decoded("a"), std::nullopt);
  EXPECT_EQ(Base64Decoded("aGV*"), std::nullopt);
  EXPECT_EQ(Base64Decoded("aG=V"), std::nullopt);
  EXPECT_EQ(HexDecoded("00fF"), std::string("\0\xFF", 2));
  EXPECT_EQ(HexDecoded("0"), std::nullopt);
}

TEST(Versions, AreFoundAndSelected) {
  EXPECT_EQ(VersionIn("Python 3.11.2"), "3.11.2");
  EXPECT_EQ(VersionIn("g++ (Debian 12.2.0-14+deb12u1) 12.2.0"), "12.2.0");
  EXPECT_EQ(VersionIn("GNU bash, version 5.2.15(1)-release"), "5.2.15");
  EXPECT_EQ(VersionIn("v18.19"), "18.19.0");
  EXPECT_EQ(VersionIn("no version 7"), "0.0.0");
  for (const char* fits : {"*", "3", "3.x", "3.11", "3.11.2", "^3.1.0", "~3.11", ">=3.10", "<4",
                           "<=3.11", "=3.11.2", "x"})
    EXPECT_TRUE(VersionFits(fits, "3.11.2")) << fits;
  for (const char* other : {"2", "2.7.18", "3.12", "^3.12.0", "~3.10", ">3.11.2", "<3.11.2",
                            "latest", "", "3.11.2.1", ">="})
    EXPECT_FALSE(VersionFits(other, "3.11.2")) << other;
}

TEST(Paths, StayInside) {
  for (const char* good : {"a", "a/b.txt", "..a", "a..b/c"}) EXPECT_TRUE(StaysInside(good)) << good;
  for (const char* bad : {"", "/a", "../a", "a/../b", "a//b", "./a", "a/", ".."})
    EXPECT_FALSE(StaysInside(bad)) << bad;
  EXPECT_FALSE(StaysInside(std::string_view("a\0b", 3)));
}

struct Body {
  std::string text, choice = "a";
  double number = 1.5;
  int64_t whole = 3;
  bool flag = false;
  std::optional<std::string> maybe;
  std::vector<std::string> list;
  Json any;
};
Fields Table(Body* b) {
  Fields table;
  table.Add("text", &b->text, "").Required();
  table.Add("choice", &b->choice, "").OneOf({"a", "b", "c"});
  table.Add("number", &b->number, "");
  table.Add("whole", &b->whole, "").Clamp(0, 10);
  table.Add("flag", &b->flag, "");
  table.Add("maybe", &b->maybe, "");
  table.Add("list", &b->list, "");
  table.AddObject("any", &b->any, "");
  return table;
}

Json Read(const std::string& text, Body* body) { return Table(body).Read(*ParseJson(text)); }

TEST(Fields, TakeWhatPydanticTakes) {
  Body body;
  const Json none = Read(
      R"({"text":"x","number":"2.5","whole":7.0,"flag":true,"maybe":null,"list":["p"],"any":{},"other":[1]})",
      &body);
  EXPECT_EQ(none.Dump(), "[]");
  EXPECT_EQ(body.text, "x");
  EXPECT_EQ(body.number, 2.5);
  EXPECT_EQ(body.whole, 7);
  EXPECT_TRUE(body.flag);
  EXPECT_EQ(body.list, std::vector<std::string>{"p"});
  EXPECT_EQ(Read(R"({"text":"x","whole":1e300})", &body).Dump(), "[]");
  EXPECT_EQ(body.whole, 10);
}

TEST(Fields, SayEveryErrorAtOnce) {
  Body body;
  const Json errors = Read(
      R"({"choice":"d","number":"soon","whole":1.5,"flag":"yes","maybe":3,"list":["p",4],"any":[]})",
      &body);
  std::vector<std::string> types;
  for (const Json& error : *errors.AsArray()) types.emplace_back(error.StringOr("type", ""));
  EXPECT_EQ(types,
            (std::vector<std::string>{"missing", "literal_error", "float_parsing", "int_from_float",
                                      "bool_type", "string_type", "string_type", "dict_type"}));
  EXPECT_EQ((*errors.AsArray())[1].StringOr("msg", ""), "Input should be 'a', 'b' or 'c'");
  EXPECT_EQ((*errors.AsArray())[6].Find("loc")->Dump(), R"(["body","list",1])");
}

TEST(Fields, SchemaHasDefaultsAndRequired) {
  Body body;
  const Json schema = Table(&body).Schema();
  EXPECT_EQ(schema.Find("required")->Dump(), R"(["text"])");
  EXPECT_EQ(schema.Find("properties")->Find("number")->DoubleOr("default", 0), 1.5);
  EXPECT_EQ(schema.Find("properties")->Find("choice")->Find("enum")->Dump(), R"(["a","b","c"])");
}

TEST(Vet, LimitsAreBroughtDownAndOtherVerifiersRefused) {
  ServeBounds bounds;
  RubricSpec spec = *RubricFromNames("code,math");
  spec.terms[0].options = *ParseJson(R"({"limits":{"wall_ms":1e12,"memory_mib":64,"cpu_ms":"x"}})");
  ASSERT_TRUE(VetRubric(bounds, &spec).ok());
  EXPECT_EQ(spec.terms[0].options.Find("limits")->Dump(),
            R"({"wall_ms":300000,"memory_mib":64,"cpu_ms":"x"})");
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    RubricSpec named = *RubricFromNames(info.name);
    EXPECT_EQ(VetRubric(bounds, &named).ok(), IsHarmless(info.name)) << info.name;
    Group group;
    group.problem.task = info.name;
    EXPECT_EQ(VetGroup(bounds, RubricSpec(), &group).ok(), IsHarmless(info.name)) << info.name;
    Group with_options;
    with_options.problem.options = Json().Set(info.name, Json::MakeObject());
    EXPECT_EQ(VetGroup(bounds, *RubricFromNames("math"), &with_options).ok(),
              IsHarmless(info.name));
  }
  EXPECT_FALSE(IsHarmless("python"));
  EXPECT_FALSE(IsHarmless("http"));
}

TEST(Secrets, AreEqualOnlyIfTheyAre) {
  EXPECT_TRUE(SameSecret("abc", "abc"));
  for (const char* other : {"", "ab", "abd", "abcabc", "abcd"})
    EXPECT_FALSE(SameSecret(other, "abc"));
  EXPECT_FALSE(SameSecret("", "abc"));
  EXPECT_TRUE(SameSecret("", ""));
}

// Collects responses and waits for so many.
struct Inbox {
  std::mutex mutex;
  std::condition_variable came;
  std::vector<std::string> bodies;
  void Put(HttpResponse response) {
    std::lock_guard<std::mutex> lock(mutex);
    bodies.push_back(std::move(response.body));
    came.notify_all();
  }
  std::vector<std::string> Wait(size_t count) {
    std::unique_lock<std::mutex> lock(mutex);
    came.wait(lock, [&] { return bodies.size() >= count; });
    return bodies;
  }
};

HttpResponse Said(const std::string& body) {
  HttpResponse response;
  response.body = body;
  return response;
}

WorkItem Item(const std::string& client, Inbox* inbox, size_t pieces,
              std::function<void(size_t)> run) {
  WorkItem item;
  item.client = client;
  item.start = [client, pieces, run]() -> PlanOrResponse {
    WorkPlan plan;
    plan.pieces = pieces;
    plan.run = run;
    plan.finish = [client] { return Said(client); };
    return plan;
  };
  item.done = [inbox](HttpResponse response) { inbox->Put(std::move(response)); };
  return item;
}

TEST(WorkPool, RunsEveryPieceOnce) {
  Inbox inbox;
  std::vector<std::atomic<int>> runs(1000);
  WorkPool pool(4, 100);
  ASSERT_TRUE(pool.Push(Item("a", &inbox, runs.size(), [&](size_t i) { ++runs[i]; })));
  EXPECT_EQ(inbox.Wait(1)[0], "a");
  for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
}

TEST(WorkPool, ALongBatchLetsOthersThrough) {
  Inbox inbox;
  std::atomic<int> pieces{0};
  WorkPool pool(1, 100);
  const auto slow = [&](size_t) {
    ++pieces;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  };
  ASSERT_TRUE(pool.Push(Item("batch", &inbox, 500, slow)));
  ASSERT_TRUE(pool.Push(Item("other", &inbox, 1, [](size_t) {})));
  EXPECT_EQ(inbox.Wait(1)[0], "other");
  EXPECT_LT(pieces, 250);
  EXPECT_EQ(inbox.Wait(2)[1], "batch");
}

TEST(WorkPool, ClientsTakeTurns) {
  Inbox inbox;
  WorkPool pool(1, 1000);
  std::mutex gate;
  gate.lock();
  ASSERT_TRUE(
      pool.Push(Item("first", &inbox, 1, [&](size_t) { std::lock_guard<std::mutex> wait(gate); })));
  while (pool.Load().running == 0) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(pool.Push(Item("greedy", &inbox, 1, [](size_t) {})));
  ASSERT_TRUE(pool.Push(Item("modest", &inbox, 1, [](size_t) {})));
  gate.unlock();
  const std::vector<std::string> order = inbox.Wait(52);
  EXPECT_LE(std::find(order.begin(), order.end(), "modest") - order.begin(), 3);
}

TEST(WorkPool, IsBounded) {
  Inbox inbox;
  WorkPool pool(1, 2);
  std::mutex gate;
  gate.lock();
  const auto wait = [&](size_t) { std::lock_guard<std::mutex> until(gate); };
  ASSERT_TRUE(pool.Push(Item("a", &inbox, 1, wait)));
  while (pool.Load().running == 0) std::this_thread::yield();
  EXPECT_TRUE(pool.Push(Item("a", &inbox, 1, wait)));
  EXPECT_TRUE(pool.Push(Item("b", &inbox, 1, wait)));
  EXPECT_FALSE(pool.Push(Item("c", &inbox, 1, wait)));
  EXPECT_GE(pool.RetryAfterSeconds(), 1);
  gate.unlock();
  EXPECT_EQ(inbox.Wait(3).size(), 3u);
}

TEST(WorkPool, WhatNobodyWaitsForIsLeftOut) {
  Inbox inbox;
  WorkPool pool(1, 10);
  std::atomic<int> runs{0};
  auto gone = std::make_shared<std::atomic<bool>>(true);
  WorkItem item = Item("a", &inbox, 5, [&](size_t) { ++runs; });
  item.gone = gone;
  ASSERT_TRUE(pool.Push(std::move(item)));
  inbox.Wait(1);
  EXPECT_EQ(runs, 0);
}

TEST(WorkPool, AnExceptionIsOneRequestsOwn) {
  Inbox inbox;
  WorkPool pool(2, 10);
  ASSERT_TRUE(pool.Push(Item("bad", &inbox, 3, [](size_t i) {
    if (i == 1) throw std::runtime_error("odd");
  })));
  EXPECT_NE(inbox.Wait(1)[0].find("odd"), std::string::npos);
  ASSERT_TRUE(pool.Push(Item("good", &inbox, 3, [](size_t) {})));
  EXPECT_EQ(inbox.Wait(2)[1], "good");
}

}  // namespace
}  // namespace assay
