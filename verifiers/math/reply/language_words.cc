#include "verifiers/math/reply/language_words.h"

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/sentences.h"

namespace assay::math {

bool IsCopula(std::string_view word) {
  static const WordSet kWords = {
      "is",     "are",      "was",   "be",      "equals",   "becomes", "it's",   "that's",
      "es",     "son",      "será",  "est",     "sont",     "vaut",    "ist",    "sind",
      "lautet", "beträgt",  "é",     "è",       "are:",     "равен",   "равно",  "равна",
      "это",    "является", "是",    "为",      "為",       "は",      "هي",     "هو",
      "jest",   "wynosi",   "brzmi", "zijn",    "bedraagt", "luidt",   "adalah", "ialah",
      "yaitu",  "yakni",    "คือ",    "เท่ากับ",   "হল",       "হলো",     "হচ্ছে",   "হবে",
      "হয়",     "है",        "हैं",     "होगा",    "होगी",     "تساوي",   "يساوي",  "은",
      "는",     "şudur",    "är",    "είναι",   "е",        "є",       "היא",    "הוא",
      "است",    "és",       "yra",   "remains", "olup",     "eşittir", "sarà",   "فهو",
      "فهي",    "stanowi"};
  return kWords.Has(word);
}

bool IsCopulaOf(std::string_view word, std::string_view language) {
  static constexpr std::string_view kWords[][2] = {
      {"pl", "to"}, {"vi", "là"}, {"vi", "bằng"}, {"sw", "ni"}, {"ko", "이"},
      {"ko", "가"}, {"sv", "er"}, {"fi", "on"},   {"et", "on"}, {"cs", "je"},
      {"sk", "je"}, {"hr", "je"}, {"ro", "este"}, {"tl", "ay"}, {"lv", "ir"}};
  for (const auto& row : kWords) {
    if (row[0] == language && row[1] == word) return true;
  }
  return IsCopula(word);
}

bool IsTotalWord(std::string_view word) {
  static const WordSet kWords = {"共",   "모두", "총", "전부", "共有",   "都合",
                                 "合計", "কুল",   "कुल", "মোট",  "toplam", "łącznie"};
  return kWords.Has(word);
}

bool SetsAnswerBehind(std::string_view language) {
  return OneOf(language, "hi", "bn", "te", "tr", "ar", "th", "ru", "id", "sw", "ko", "fa", "uk",
               "bg", "he", "ta", "hu", "ms");
}

bool IsFiller(std::string_view word) {
  static const WordSet kWords = {
      "therefore", "thus",   "simply",  "just",    "exactly",  "approximately",
      "about",     "equal",  "to",      "clearly", "given",    "by",
      "then",      "hence",  "so",      "for",     "sure",     "either",
      "indeed",    "also",   "roughly", "around",  "only",     "the",
      "option",    "choice", "number",  "value",   "interval", "set",
      "point",     "pair",   "ordered", "that",    "there",    "a",
      "total",     "of",     "la",      "il",      "el",       "le",
      "die",       "das",    "der",     "los",     "las",      "les"};
  return kWords.Has(word);
}

bool SaysNothing(std::string_view word) {
  static const WordSet kWords = {"correct",    "right",      "wrong",    "incorrect", "valid",
                                 "reasonable", "consistent", "verified", "below",     "clear",
                                 "obvious",    "unknown",    "unclear",  "what",      "why",
                                 "how",        "because",    "based",    "unique"};
  return kWords.Has(word);
}

bool MayStandBeforeAnswer(std::string_view word) {
  static const WordSet kWords = {"the",      "final",    "our",      "my",       "therefore",
                                 "correct",  "die",      "la",       "richtige", "korrekte",
                                 "correcta", "correcte", "corretta", "correta",  "bonne"};
  return kWords.Has(word);
}

bool IsNegation(std::string_view word) {
  static const WordSet kWords = {
      "inte",   "ikke",     "icke",     "není",   "nije",  "δεν",         "לא",         "אינה",
      "אינו",   "نیست",     "அல்ல",      "இல்லை",   "nėra",  "nav",         "nem",        "not",
      "isn't",  "aren't",   "wasn't",   "cannot", "can't", "never",       "neither",    "nicht",
      "kein",   "keine",    "keinen",   "pas",    "не",    "不",          "nie",        "niet",
      "geen",   "değil",    "değildir", "không",  "chẳng", "keinesfalls", "keineswegs", "jamais",
      "nunca",  "bukan",    "bukanlah", "नहीं",    "নয়",    "కాదు",         "ليس",        "ليست",
      "아니다", "아닙니다", "아니라",   "아닌",   "όχι"};
  return kWords.Has(word) || EndsWith(word, "n't") || StartsWith(word, "ไม่");
}

bool IsNegationOf(std::string_view word, std::string_view language) {
  static constexpr std::string_view kWords[][2] = {
      {"fi", "ei"},    {"et", "ei"},       {"ro", "nu"},  {"tl", "hindi"},
      {"sk", "nie"},   {"sw", "si"},       {"sw", "sio"}, {"sw", "siyo"},
      {"id", "tidak"}, {"id", "tidaklah"}, {"bn", "না"},  {"ar", "لا"},
      {"hi", "ना"},    {"es", "no"},       {"pt", "não"}, {"it", "non"}};
  for (const auto& row : kWords) {
    if (row[0] == language && row[1] == word) return true;
  }
  return IsNegation(word);
}

bool IsNo(std::string_view word) { return OneOf(word, "no", "non", "não"); }

bool HasFinalDenial(std::string_view text) {
  for (const std::string_view denial : {"نیست", "அல்ல", "இல்லை", "ありません", "ない", "아닙니다",
                                        "아니", "않", "नहीं", "নয়", "కాదు", "değil"}) {
    if (text.find(denial) != kNone) return true;
  }
  return false;
}

size_t LastDenial(std::string_view text) {
  size_t latest = kNone;
  for (const std::string_view denial :
       {"not",      "n't",       "n’t",        "cannot",   "non ",      "pas ",   "不",
        "非",       "排除",      "可能",       "nicht ",   "neither",   "не ",    "exclud",
        "eliminat", "rules out", "ruling out", "rule out", "ruled out", "no es ", "niet ",
        "nie ",     "bukan",     "không",      "değil"}) {
    const size_t found = text.rfind(denial);
    if (found != kNone && (latest == kNone || found > latest)) latest = found;
  }
  return latest;
}

bool IsAdversative(std::string_view word) {
  return OneOf(word, "but", "however", "yet", "aber", "mais", "pero", "но");
}

bool IsHedge(std::string_view word) {
  static const WordSet kWords = {"tentative",
                                 "tentatively",
                                 "kanske",
                                 "måske",
                                 "kanskje",
                                 "ehkä",
                                 "možná",
                                 "snáď",
                                 "talán",
                                 "poate",
                                 "ίσως",
                                 "אולי",
                                 "شاید",
                                 "možda",
                                 "galbūt",
                                 "varbūt",
                                 "võibolla",
                                 "baka",
                                 "marahil",
                                 "можливо",
                                 "mogelijks",
                                 "might",
                                 "maybe",
                                 "may",
                                 "could",
                                 "perhaps",
                                 "possibly",
                                 "unsure",
                                 "unlikely",
                                 "doubtful",
                                 "if",
                                 "whether",
                                 "suppose",
                                 "supposing",
                                 "assuming",
                                 "unless",
                                 "peut",
                                 "vielleicht",
                                 "quizás",
                                 "quizá",
                                 "возможно",
                                 "talvez",
                                 "forse",
                                 "möglicherweise",
                                 "eventuell",
                                 "posiblemente",
                                 "possivelmente",
                                 "może",
                                 "chyba",
                                 "misschien",
                                 "mogelijk",
                                 "belki",
                                 "lẽ",
                                 "mungkin",
                                 "barangkali",
                                 "labda",
                                 "huenda",
                                 "शायद",
                                 "ربما",
                                 "হয়তো",
                                 "বোধহয়",
                                 "బహుశా",
                                 "어쩌면",
                                 "probably",
                                 "likely",
                                 "presumably",
                                 "supposedly",
                                 "seemingly",
                                 "wahrscheinlich",
                                 "vermutlich",
                                 "wohl",
                                 "probablement",
                                 "vraisemblablement",
                                 "probablemente",
                                 "probabilmente",
                                 "provavelmente",
                                 "вероятно",
                                 "наверное",
                                 "наверно",
                                 "видимо",
                                 "пожалуй",
                                 "prawdopodobnie",
                                 "pewnie",
                                 "waarschijnlijk",
                                 "vermoedelijk",
                                 "muhtemelen",
                                 "galiba",
                                 "herhalde",
                                 "kemungkinan",
                                 "sannolikt",
                                 "troligen",
                                 "förmodligen",
                                 "sandsynligvis",
                                 "sannsynligvis",
                                 "todennäköisesti",
                                 "luultavasti",
                                 "pravděpodobně",
                                 "asi",
                                 "pravdepodobne",
                                 "valószínűleg",
                                 "probabil",
                                 "πιθανώς",
                                 "πιθανόν",
                                 "μάλλον",
                                 "כנראה",
                                 "احتمالا",
                                 "احتمالاً",
                                 "غالبا",
                                 "غالباً",
                                 "vjerojatno",
                                 "вероятно",
                                 "ймовірно",
                                 "мабуть",
                                 "সম্ভবত",
                                 "संभवतः",
                                 "सम्भवतः",
                                 "아마",
                                 "아마도",
                                 "అనుకుంటా"};
  return kWords.Has(word);
}

bool DoubtsWhatFollows(std::string_view word, std::string_view text, size_t word_end, size_t end) {
  if (!IsHedge(word)) return false;
  if (word != "likely") return true;
  // "the most likely number is 5" asserts 5.
  const size_t next = SkipSpace(text, word_end, end);
  size_t next_end = next;
  const std::string noun = WordAt(text, next, end, &next_end);
  return noun.size() < 3;
}

bool IsSentenceHedge(std::string_view word) {
  return IsHedge(word) && !OneOf(word, "may", "could", "likely", "asi", "wohl", "assuming",
                                 "suppose", "supposing", "if", "whether", "unless", "might");
}

// Most sentences hold no word of a script without spaces, which is told at a glance.
static bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool HasUnspacedHedge(std::string_view text) {
  if (IsAscii(text)) return false;
  for (const std::string_view hedge :
       {"未必", "不一定", "还是", "可能", "也许", "或许",   "かもし", "おそらく", "恐らく",
        "多分", "たぶん", "大概", "估计", "恐怕", "恐らく", "น่าจะ",   "คงจะ",     "อาจ",
        "บางที", "猜",     "如果", "假如", "假设", "倘若",   "もし"}) {
    const size_t at = text.find(hedge);
    // 可能的值: the possible values.
    if (at != kNone && !HasAt(text, at + hedge.size(), "的")) return true;
  }
  return false;
}

bool HasUnspacedBound(std::string_view text) {
  for (const std::string_view bound :
       {"이상",   "이하",       "초과",   "미만",       "มากกว่า",     "น้อยกว่า",      "อย่างน้อย",
        "ไม่เกิน",  "से अधिक",     "से कम",   "büyük",      "küçük",      "fazla",       "的两倍",
        "的三倍", "的倍数",     "的一半", "的倒数",     "的相反数",   "的平方",      "至少",
        "最多",   "大于",       "小于",   "超过",       "不到",       "不少于",      "不多于",
        "吗",     "以上",       "以下",   "でしょうか", "ですか",     "ますか",      "未満",
        "より",   "少なくとも", "整除",   "倍数",       "割り切れ",   "奇数です",    "偶数です",
        "的奇数", "的偶数",     "배수",   "보다",       "나누어떨어", "나누어 떨어", "พหุคูณ",
        "หารลงตัว"}) {
    if (text.find(bound) != kNone) return true;
  }
  constexpr std::string_view kOr = "か";
  for (size_t at = text.find(kOr); at != kNone; at = text.find(kOr, at + 1)) {
    const size_t next = at + kOr.size();
    if (at > 0 && IsDigit(text[at - 1]) && next < text.size() && IsDigit(text[next])) return true;
  }
  return false;
}

bool HasUnspacedOrAt(std::string_view text, size_t at) {
  for (const std::string_view either : {"または", "あるいは", "もしくは"}) {
    if (HasAt(text, at, either)) return true;
  }
  return false;
}

bool IsModifier(std::string_view word) {
  static const WordSet kWords = {"twice",      "thrice",    "double",   "triple", "half",
                                 "square",     "cube",      "root",     "third",  "quarter",
                                 "reciprocal", "inverse",   "negative", "minus",  "opposite",
                                 "logarithm",  "factorial", "quadruple"};
  return kWords.Has(word);
}

bool IsQualifier(std::string_view word) {
  static const WordSet kWords = {
      "doppelte", "hälfte", "moitié", "doble", "mitad", "dobro", "metade", "doppio", "metà", "meer",
      "minder", "minst", "najmniej", "najwyżej", "więcej", "mniej", "au", "más", "più", "mehr",
      "maximal", "minimal", "less", "greater", "more", "fewer", "least", "most", "under", "over",
      "above", "below", "but", "except", "unlikely", "no", "never", "anything", "other", "than",
      "larger", "smaller", "exceeds", "within", "nowhere", "hardly", "barely", "almost", "nearly",
      "multiple", "divisor", "factor", "close",
      // French, Spanish, Portuguese, Italian, German, Russian
      "supérieur", "supérieure", "inférieur", "inférieure", "moins", "mayor", "menor", "menos",
      "maior", "maggiore", "minore", "almeno", "größer", "kleiner", "mindestens", "höchstens",
      "mniejsza", "mniejszy", "mniejsze", "większa", "większy", "większe", "niż", "grande", "petit",
      "petite", "groter", "lägre", "större", "mindre", "menší", "větší", "kisebb", "nagyobb", "hơn",
      "أكبر", "أصغر", "أقل", "कम", "अधिक", "weniger", "больше", "меньше", "более", "менее"};
  return kWords.Has(word);
}

bool IsProperty(std::string_view word) {
  static const WordSet kWords = {
      "divisible", "congruent", "coprime", "modulo", "mod", "multiplied", "divided", "bounded",
      "odd", "even", "prime", "parity", "positive", "integer", "residue", "remainder",
      // Spanish, Portuguese, French, Italian, German, Dutch
      "múltiplo", "divisível", "divisibile", "multiplo", "divisore", "diviseur", "dzielnikiem",
      "dzielnik", "teilbar", "vielfaches", "deelbaar", "veelvoud",
      // Russian, Ukrainian, Polish, Czech, Swedish, Romanian, Hungarian, Greek, Turkish, Vietnamese, Indonesian
      "делится", "кратно", "кратное", "кратный", "кратна", "кратным", "делитель", "ділиться",
      "podzielna", "podzielny", "podzielne", "wielokrotność", "wielokrotnością", "dělitelné",
      "násobek", "delbart", "divizibil", "osztható", "διαιρείται", "πολλαπλάσιο", "bölünür",
      "bölünebilir", "bölünebilen", "katı", "katıdır", "bội", "habis", "kelipatan",
      // Hindi, Bengali, Arabic, Persian, Hebrew
      "विभाज्य", "गुणज", "বিভাজ্য", "গুণিতক", "القسمة", "مضاعف", "مضاعفات", "بخش‌پذیر", "مضرب",
      "מתחלק"};
  return kWords.Has(word);
}

bool DescribesValue(std::string_view word) {
  static const WordSet kWords = {"odd",      "even",     "all", "prime",
                                 "positive", "negative", "any", "every"};
  return kWords.Has(word);
}

bool OpensCondition(std::string_view word) {
  static const WordSet kWords = {"if",      "whether", "suppose", "supposing", "unless", "pretend",
                                 "imagine", "si",      "falls",   "ob",        "если",   "wenn",
                                 "jeśli",   "als",     "eğer",    "nếu",       "jika",   "kama",
                                 "यदि",     "अगर",     "যদি",     "إذا"};
  return kWords.Has(word);
}

bool OpensCase(std::string_view word) {
  static const WordSet kWords = {
      "for",      "when",   "if",     "where",   "in",    "on",      "at",     "with",  "provided",
      "whenever", "pour",   "quand",  "lorsque", "si",    "für",     "wenn",   "falls", "sofern",
      "bei",      "para",   "cuando", "quando",  "se",    "per",     "для",    "при",   "если",
      "когда",    "якщо",   "коли",   "voor",    "als",   "wanneer", "indien", "dla",   "gdy",
      "jeśli",    "jeżeli", "için",   "eğer",    "untuk", "jika",    "bila",   "kalau", "cho",
      "khi",      "nếu",    "om",     "när",     "hvis",  "når",     "jos",    "kun",   "pokud",
      "když",     "ak",     "dacă",   "când",    "ha",    "αν",      "όταν",   "यदि",   "अगर",
      "जब",       "যদি",    "যখন",    "إذا",     "عندما", "اگر",     "אם"};
  return kWords.Has(word);
}

bool IsSaying(std::string_view word) {
  static const WordSet kWords = {
      "says",    "said",     "say",      "claims",    "claimed",  "claim",    "thinks",
      "thought", "believes", "argues",   "told",      "tells",    "asserts",  "asserted",
      "states",  "stated",   "insists",  "insisted",  "reports",  "reported", "wrote",
      "guessed", "guesses",  "suggests", "suggested", "contains", "quoted"};
  return kWords.Has(word);
}

bool IsInstead(std::string_view word) {
  static const WordSet kWords = {"but",   "it's", "sondern",   "sino",   "mais", "c'est", "ma",
                                 "bensì", "mas",  "maar",      "lecz",   "ale",  "tylko", "а",
                                 "но",    "而",   "melainkan", "tetapi", "mà",   "बल्कि",  "بل"};
  return kWords.Has(word);
}

bool IsQuoting(std::string_view word) {
  static const WordSet kWords = {
      "falsche",  "falscher",  "falschen",  "mauvaise",    "fausse",    "неверный", "неправильный",
      "errada",   "błędna",    "foute",     "yanlış",      "felaktigt", "forkert",  "reference",
      "gold",     "golden",    "truth",     "expected",    "given",     "provided", "sample",
      "example",  "wrong",     "incorrect", "previous",    "student's", "user's",   "common",
      "tempting", "suggested", "backup",    "alternative", "quoted"};
  return kWords.Has(word);
}

bool IsCorrection(std::string_view word) {
  static const WordSet kWords = {"wait",  "no",   "nope",       "actually",
                                 "sorry", "oops", "correction", "rather"};
  return kWords.Has(word);
}

bool MeansWhatWasSaid(std::string_view word) {
  static const WordSet kWords = {
      "that",   "that's",   "this",  "it",   "it's", "my",     "i",     "above",  "answer",
      "result", "previous", "which", "das",  "dies", "es",     "c'est", "cela",   "ça",
      "eso",    "esto",     "это",   "я",    "isso", "questo", "jest",  "dat",    "dit",
      "bu",     "itu",      "ini",   "hiyo", "hii",  "đó",     "này",   "এটা",    "এটি",
      "यह",     "वह",       "అది",    "ఇది",   "هذا",  "هذه",    "그건",  "그것은", "이건",
      "이것은", "esta",     "ceci",  "我",   "这",   "這"};
  return kWords.Has(word);
}

bool IsWrong(std::string_view word) {
  static const WordSet kWords = {
      "wrong",     "incorrect", "mistaken",    "mistake",    "error",      "invalid",
      "falsch",    "faux",      "fausse",      "incorrecto", "incorrecta", "errado",
      "sbagliato", "неверно",   "неправильно", "ошибка",     "ошибся",     "错",
      "錯",        "retract",   "kidding",     "errada",     "sbagliata",  "błąd",
      "błędne",    "błędna",    "fout",        "onjuist",    "yanlış",     "yanlıştır",
      "hatalı",    "sai",       "nhầm",        "salah",      "keliru",     "makosa",
      "kosa",      "ভুল",        "गलत",         "ग़लत",        "తప్పు",       "خطأ",
      "خاطئ",      "خاطئة",     "틀렸습니다",  "틀렸다",     "틀렸어요",   "잘못되었습니다",
      "잘못됐다",  "mal",       "erróneo",     "errónea",    "equivocado", "неверный",
      "false"};
  return kWords.Has(word);
}

bool HasUnspacedWrong(std::string_view text) {
  return text.find("ผิด") != kNone || text.find("ไม่ถูกต้อง") != kNone;
}

bool HasUnspacedGivingUp(std::string_view text) {
  if (IsAscii(text)) return false;
  for (const std::string_view words :
       {"无法确认",       "无法给出",       "无法确定",   "无法解答",     "无法回答",
        "无法得出",       "无法验证",       "無法確認",   "無法給出",     "不能确定",
        "不能确认",       "做不出",         "解不出",     "わかりません", "分かりません",
        "答えられません", "確認できません", "解けません", "모르겠",       "알 수 없습니다",
        "풀 수 없",       "확인할 수 없"}) {
    if (text.find(words) != kNone) return true;
  }
  return false;
}

bool IsConnector(std::string_view word) {
  static const WordSet kWords = {"and", "or", "y", "o", "et", "ou", "und", "oder", "или", "и", "e"};
  return kWords.Has(word);
}

bool JoinsBoxes(std::string_view word) {
  static const WordSet kWords = {"vs", "versus", "and",  "or", "y",   "o",  "et",
                                 "ou", "und",    "oder", "и",  "или", "和", "或"};
  return kWords.Has(word);
}

bool IsOr(std::string_view word) {
  static const WordSet kWords = {"vs", "versus", "or", "o", "ou", "oder", "или", "或"};
  return kWords.Has(word);
}

bool IsStopWord(std::string_view word) {
  static const WordSet kWords = {
      "because", "since", "for", "when", "where", "which", "that", "so", "as", "if", "in", "at",
      "on", "by", "with", "from", "after", "is", "are", "was", "were", "has", "have", "had", "but",
      "not", "then", "to", "using", "given", "until", "while", "thus", "hence", "therefore", "i",
      "we", "it", "he", "she", "they", "the", "this", "every", "each", "will", "more", "left",
      "who", "instead", "rather", "whose", "of", "into", "than", "parce", "car", "porque", "weil",
      "donc", "à", "pour", "de", "で", "と", "だ", "的",
      // "5 lorsque n est pair": OpensCase's words that are no part of a unit's name
      "quand", "lorsque", "falls", "sofern", "cuando", "quando", "если", "когда", "якщо", "коли",
      "wanneer", "indien", "gdy", "jeśli", "jeżeli", "eğer", "jika", "kalau", "khi", "nếu", "när",
      "hvis", "når", "pokud", "když", "dacă", "când", "όταν", "यदि", "अगर", "जब", "যদি", "যখন",
      "إذا", "عندما", "wenn"};
  return kWords.Has(word);
}

bool EndsUnspacedUnit(std::string_view word) {
  for (const std::string_view thai : {"แต่", "ซึ่ง", "เพราะ", "ดังนั้น", "นั่น"}) {
    if (StartsWith(word, thai)) return true;
  }
  return OneOf(word, "不", "而", "并", "に", "が", "を", "も", "가", "이", "은", "는", "을", "를");
}

size_t GluedVerbBytes(std::string_view word) {
  for (const std::string_view verb :
       {"이었습니다", "입니다", "이에요", "이므로", "이다", "예요", "이며", "이고", "임"}) {
    if (EndsWith(word, verb)) return verb.size();
  }
  return 0;
}

bool IsSignWord(std::string_view word) {
  return OneOf(word, "minus", "negative", "plus", "times", "menos", "moins", "meno", "минус",
               "eksi", "мінус", "miinus", "mínusz");
}

bool IsMonth(std::string_view word) {
  static const WordSet kWords = {"january",   "february", "march",    "april",
                                 "may",       "june",     "july",     "august",
                                 "september", "october",  "november", "december"};
  return kWords.Has(word);
}

}  // namespace assay::math
