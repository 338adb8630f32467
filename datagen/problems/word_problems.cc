// words: short stories about things that are bought, given away, doubled and shared out, in five languages.
#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {
namespace {

struct Story {
  std::string_view language;
  std::vector<std::string> names;
  std::vector<std::string> things;
  std::string_view start, gains, loses, doubles, shares, question, gap;
};

const std::vector<Story>& Stories() {
  static const std::vector<Story> kStories = {
      {"en",
       {"Mara", "Tom", "Lena", "Omar", "Ruth"},
       {"apples", "stamps", "marbles", "postcards", "shells"},
       "{name} has {n} {things}.",
       "{name} finds {n} more.",
       "{name} gives {n} of them away.",
       "Then {name}'s grandmother doubles what {name} has.",
       "{name} shares them out evenly among {n} boxes and keeps one box.",
       "How many {things} does {name} have now?",
       " "},
      {"de",
       {"Mara", "Tom", "Lena", "Omar", "Ruth"},
       {"Äpfel", "Briefmarken", "Murmeln", "Postkarten", "Muscheln"},
       "{name} hat {n} {things}.",
       "{name} findet {n} weitere.",
       "{name} verschenkt {n} davon.",
       "Dann verdoppelt die Großmutter, was {name} hat.",
       "{name} verteilt alles gleichmäßig auf {n} Kisten und behält eine Kiste.",
       "Wie viele {things} hat {name} jetzt?",
       " "},
      {"fr",
       {"Mara", "Tom", "Léna", "Omar", "Ruth"},
       {"pommes", "billes", "cartes", "fleurs", "perles"},
       "{name} a {n} {things}.",
       "{name} en trouve encore {n}.",
       "{name} en donne {n}.",
       "Puis la grand-mère double ce que {name} possède.",
       "{name} partage le tout également entre {n} boîtes et garde une boîte.",
       "Combien de {things} {name} a-t-il à présent ?",
       " "},
      {"es",
       {"Mara", "Tomás", "Lena", "Omar", "Rut"},
       {"manzanas", "canicas", "postales", "conchas", "monedas"},
       "{name} tiene {n} {things}.",
       "{name} encuentra {n} más.",
       "{name} regala {n}.",
       "Después la abuela duplica lo que tiene {name}.",
       "{name} lo reparte todo por igual en {n} cajas y se queda con una caja.",
       "¿Cuántas {things} tiene {name} ahora?",
       " "},
      {"zh",
       {"小明", "小红", "小华", "阿梅", "阿强"},
       {"个苹果", "张邮票", "颗弹珠", "张明信片", "个贝壳"},
       "{name}有{n}{things}。",
       "{name}又得到{n}{things}。",
       "{name}送出{n}{things}。",
       "然后奶奶让{name}的数量变成两倍。",
       "{name}把它们平均分到{n}个盒子里，只留下一盒。",
       "{name}现在有多少{things}？",
       ""}};
  return kStories;
}

const Story& StoryIn(std::string_view language) {
  for (const Story& story : Stories()) {
    if (story.language == language) return story;
  }
  return Stories()[0];
}

// One more sentence of the story, and what it does to the number.
std::string NextSentence(const Story& story, int64_t* value, std::string* step, std::string* number,
                         Rng* rng) {
  const uint64_t drawn = rng->Below(8);
  std::vector<int64_t> divisors;
  for (int64_t d = 2; d <= 9; ++d) {
    if (*value % d == 0 && *value > d) divisors.push_back(d);
  }
  const int64_t before = *value;
  if (drawn == 0 && !divisors.empty()) {
    const int64_t by = DrawOne(divisors, rng);
    *value = before / by, *step = StrCat(before, "/", by, "=", *value), *number = StrCat(by);
    return std::string(story.shares);
  }
  if (drawn == 1 && before < 200) {
    *value = before * 2, *step = StrCat(before, "*2=", *value), *number = "2";
    return std::string(story.doubles);
  }
  const bool gain = drawn < 5 || before < 4;
  const int64_t by = gain ? DrawBetween(2, 60, rng) : DrawBetween(2, before - 1, rng);
  *value = gain ? before + by : before - by;
  *step = StrCat(before, gain ? "+" : "-", by, "=", *value), *number = StrCat(by);
  return std::string(gain ? story.gains : story.loses);
}

}  // namespace

// Level L: L things happen.
DrawnProblem DrawWordProblem(int64_t level, std::string_view language, Rng* rng) {
  const Story& story = StoryIn(language);
  DrawnProblem problem;
  problem.task = "math";
  const uint64_t name_at = rng->Below(story.names.size());
  const uint64_t thing_at = rng->Below(story.things.size());
  const std::string& name = story.names[name_at];
  const std::string& things = story.things[thing_at];
  int64_t value = DrawBetween(5, 80, rng);
  problem.content = StrCat(value);
  problem.prompt = FillIn(story.start, {{"name", name}, {"n", StrCat(value)}, {"things", things}});
  for (int64_t i = 0; i < level; ++i) {
    std::string step, number;
    const std::string sentence = NextSentence(story, &value, &step, &number, rng);
    StrAppend(&problem.prompt, story.gap,
              FillIn(sentence, {{"name", name}, {"n", number}, {"things", things}}));
    StrAppend(&problem.content, ";", step);
    problem.steps.push_back(step);
  }
  StrAppend(&problem.prompt, story.gap,
            FillIn(story.question, {{"name", name}, {"things", things}}));
  problem.answer = StrCat(value);
  return problem;
}

}  // namespace assay
