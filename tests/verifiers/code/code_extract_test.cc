// Finding programs in replies, prompts that are code, and comparing output.
#include "verifiers/code/extract_program.h"

#include <gtest/gtest.h>

#include "verifiers/code/stdio_compare.h"

namespace assay {
namespace {

std::string Python(std::string_view reply) { return ExtractProgram(reply, "python").text; }

TEST(ExtractProgram, TheLastBlockOfTheLanguage) {
  EXPECT_EQ(Python("x = 1"), "x = 1");
  EXPECT_EQ(Python("    return 1\n"), "    return 1\n");
  EXPECT_EQ(Python("a\n```python\nx = 1\n```\nb\n```python\nx = 2\n```\n"), "x = 2\n");
  EXPECT_EQ(Python("```py\nx = 1\n```\nOutput:\n```\n1\n```"), "x = 1\n");
  EXPECT_EQ(Python("```Python3\nx = 1\n```\n```bash\nls\n```"), "x = 1\n");
  EXPECT_EQ(Python("```\nx = 1\n```\n```js\nlet x\n```"), "let x\n");
  EXPECT_EQ(Python("~~~python\nx = '```'\n~~~"), "x = '```'\n");
  EXPECT_EQ(Python("````python\nx = 1\n```\n````"), "x = 1\n```\n");
  EXPECT_EQ(Python("1. so:\n   ```python\n   def f():\n       pass\n   ```\n"),
            "def f():\n    pass\n");
  EXPECT_EQ(ExtractProgram("```cpp\nint x;\n```\n```python\ny\n```", "c++").text, "int x;\n");
  EXPECT_EQ(ExtractProgram("```c\nint x;\n```\n```c++\ny\n```", "c").text, "int x;\n");
}

TEST(ExtractProgram, TruncatedAndOdd) {
  EXPECT_EQ(Python("```python\nx = 1\n"), "x = 1\n");
  EXPECT_EQ(Python("```python\n"), "");
  EXPECT_EQ(Python(""), "");
  EXPECT_EQ(Python("use `x` and ```y``` here"), "use `x` and ```y``` here");
}

TEST(ExtractProgram, GluedFences) {
  EXPECT_EQ(Python("<answer>\n```python\nx = 1\n```</answer>"), "x = 1\n");
  EXPECT_EQ(Python("<answer>```python\nx = 1\n```</answer>"), "x = 1\n");
  EXPECT_EQ(Python("Here:```python\nx = 1\n```<|im_end|>\nmore"), "x = 1\n");
  EXPECT_EQ(Python("```python\nx = 1\ny = 2```\nprose"), "x = 1\ny = 2\n");
  EXPECT_EQ(Python("```python\nx = '```'\ny = 2\n```\nprose"), "x = '```'\ny = 2\n");
  EXPECT_EQ(Python("\xEF\xBB\xBFx = 1"), "x = 1");
  EXPECT_EQ(Python("```python\n\xEF\xBB\xBFx = 1\n```"), "x = 1\n");
}

TEST(ExtractProgram, FencesThatOpenOrCloseNothing) {
  EXPECT_EQ(Python("x = 1\n```"), "x = 1\n");
  EXPECT_EQ(Python("Answer:\ndef f():\n    return 1\n```\n\nThis works"),
            "def f():\n    return 1\n");
  EXPECT_EQ(Python("    return 1\n```\n\nIt works because"), "    return 1\n");
  EXPECT_EQ(Python("```python\nx = 1\n```\n```"), "x = 1\n");
  EXPECT_EQ(Python("```python\nx = 1\n```\n```python\n```"), "x = 1\n");
  const char doc[] = "def f():\n    \"\"\"Use:\n    ```\n    f()\n    ```\n    \"\"\"\n";
  EXPECT_EQ(Python(std::string("```python\n") + doc + "```\nprose"), doc);
  // A text that never ends hides no fence.
  EXPECT_EQ(Python("```python\nx = '''\n```\nprose\n"), "x = '''\n");
}

TEST(ExtractProgram, WhatTheTestsCall) {
  const std::string reply =
      "```python\ndef f(): return 1\n```\nUsage:\n```python\nprint(f())\n```\n";
  EXPECT_EQ(Python(reply), "print(f())\n");
  EXPECT_EQ(ExtractProgram(reply, "python", {"f"}).text, "def f(): return 1\n");
  EXPECT_EQ(ExtractProgram(reply, "python", {"g"}).text, "print(f())\n");
  EXPECT_EQ(Python("```\nx = 1\n```\n```text\n1\n```"), "x = 1\n");
}

TEST(ExtractProgram, OnlyTheAnswerPart) {
  EXPECT_EQ(Python("<think>```python\nbad\n```</think>\n```python\ngood\n```"), "good\n");
  EXPECT_EQ(Python("<think>```python\nbad\n```</think>\ngood"), "\ngood");
  EXPECT_EQ(Python("reasoning</think>good"), "good");
  EXPECT_EQ(Python("<think>\n```python\nbad\n```"), "");
}

TEST(StopWords, CutsAtTheFirst) {
  EXPECT_EQ(CutAtStopWords("    return 1\n\ndef g():\n"), "    return 1\n");
  EXPECT_EQ(CutAtStopWords("    return 1\n# done\nclass A:"), "    return 1");
  EXPECT_EQ(CutAtStopWords("def f():\n    if x:\n"), "def f():\n    if x:\n");
}

TEST(CodePrompt, ProseIsNoCode) {
  EXPECT_TRUE(ReadCodePrompt("Write a function add.\n", "add").code.empty());
  EXPECT_TRUE(ReadCodePrompt("Write this:\n\ndef add(a, b):\n    pass\n", "add").code.empty());
  EXPECT_EQ(ReadCodePrompt("import os\n\n\ndef add(a, b):\n", "add").before, "import os\n\n\n");
  EXPECT_EQ(ReadCodePrompt("import os\n@cache\n\ndef add(a, b):\n", "add").before, "import os\n");
  EXPECT_EQ(
      ReadCodePrompt("\"\"\"\nThis is prose.\n\"\"\"\nX: int = 3\ndef add(a, b):\n", "add").before,
      "\"\"\"\nThis is prose.\n\"\"\"\nX: int = 3\n");
  EXPECT_EQ(ReadCodePrompt("Go:\n```python\nK = 1\ndef add(a, b):\n    ...\n```\n", "add").before,
            "K = 1\n");
  EXPECT_TRUE(ReadCodePrompt("def added(a):\n", "add").code.empty());
}

TEST(JoinPromptAndCompletion, BodyOrWhole) {
  CodePrompt prompt = ReadCodePrompt("import os\n\ndef f(x):\n    \"\"\"Doc.\"\"\"\n", "f");
  int64_t line = -1;
  EXPECT_EQ(JoinPromptAndCompletion(prompt, {"    return x\n"}, "f", &line),
            prompt.code + "    return x\n");
  EXPECT_EQ(line, 4);
  EXPECT_EQ(JoinPromptAndCompletion(prompt, {"def f(x):\n    return x\n"}, "f", &line),
            "import os\n\ndef f(x):\n    return x\n");
  EXPECT_EQ(line, 2);
  // Goes on in the body first, whatever it defines later.
  EXPECT_EQ(
      JoinPromptAndCompletion(prompt, {"\n    return x\n\ndef f(x):\n    return 0\n"}, "f", &line),
      prompt.code + "\n    return x\n\ndef f(x):\n    return 0\n");
}

TEST(TopLevelClasses, ClassesAndNamedTuples) {
  EXPECT_EQ(
      TopLevelClasses(
          "class A:\n  class B: pass\nclass  C(D):\n  x = 1\nP = namedtuple('P', 'x')\nx = 1\n"),
      (std::vector<std::string>{"A", "C", "P"}));
}

TEST(OutputMatches, LinesTokensExact) {
  auto lines = [](std::string_view got, std::string_view want) {
    return OutputMatches(got, want, OutputMatch::kLines, {});
  };
  EXPECT_TRUE(lines("1 2\n3\n", "1 2\n3"));
  EXPECT_TRUE(lines("1 2  \r\n3\n\n \n", "1 2\n3"));
  EXPECT_FALSE(lines("1  2\n3\n", "1 2\n3"));
  EXPECT_FALSE(lines("1 2", "1 2\n3"));
  EXPECT_FALSE(lines("1 2\n3\n4\n", "1 2\n3"));
  EXPECT_FALSE(lines("\n1 2\n3", "1 2\n3"));
  EXPECT_FALSE(lines("1\n\n2", "1\n2"));
  EXPECT_TRUE(lines("", "\n"));
  EXPECT_TRUE(OutputMatches("1  2\n", "1 2", OutputMatch::kTokens, {}));
  EXPECT_FALSE(OutputMatches("1\n2\n", "1 2", OutputMatch::kTokens, {}));
  EXPECT_FALSE(OutputMatches("1 2\n", "1 2", OutputMatch::kExact, {}));
}

TEST(OutputMatches, Tolerance) {
  auto near = [](std::string_view got, std::string_view want) {
    return OutputMatches(got, want, OutputMatch::kLines, 1e-6);
  };
  EXPECT_TRUE(near("0.3333333\n", "0.33333333"));
  EXPECT_TRUE(near("1e6 x\n", "1000000.5 x"));
  EXPECT_FALSE(near("0.333\n", "0.33333333"));
  EXPECT_FALSE(near("nan\n", "0.5"));
  EXPECT_FALSE(near("inf\n", "1e308"));
  EXPECT_FALSE(near("0.5 0.5\n", "0.5"));
  EXPECT_FALSE(near("0.5\n0.5\n", "0.5 0.5"));
}

}  // namespace
}  // namespace assay
