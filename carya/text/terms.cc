#include "carya/text/terms.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "carya/core/parallel.h"

namespace carya {
namespace {

constexpr size_t kTextsPerBlock = 8192;
constexpr size_t kTextsPerTask = 512;

// Numbers strings in the order in which they come.
class Numbering {
 public:
  uint32_t number(std::string_view text) {
    const auto [at, is_new] =
        numbers_.try_emplace(std::string(text), static_cast<uint32_t>(texts_.size()));
    if (is_new) texts_.push_back(at->first);
    return at->second;
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> texts_;
};

constexpr uint32_t kBreak = 0xffffffffu;  // a stop word: no pair reaches over it

}  // namespace

TermTable extract_terms(const TextSource& texts, const TermOptions& options, Progress* progress) {
  begin_stage(progress, "terms", texts.n_texts, "texts");
  Numbering words, stems;
  std::vector<uint32_t> stem_of_word;  // kBreak for stop words
  std::vector<uint32_t> stream;        // words of all texts, one after another
  std::vector<size_t> stream_starts = {0};
  const Stemmer stemmer;
  for (size_t first = 0; first < texts.n_texts; first += kTextsPerBlock) {
    const size_t count = std::min(kTextsPerBlock, texts.n_texts - first);
    const std::vector<std::string> block = texts.read(first, count);
    std::vector<std::vector<std::string>> split(count);
    parallel_for(0, count, kTextsPerTask, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) split[i] = split_words(block[i]);
    });
    for (std::vector<std::string>& text : split) {
      if (text.size() > options.max_words_per_text) text.resize(options.max_words_per_text);
      for (const std::string& word : text) {
        const uint32_t number = words.number(word);
        if (number == stem_of_word.size()) {
          stem_of_word.push_back(
              is_stop_word(word) || word.size() < 2 ? kBreak : stems.number(stemmer.stem(word)));
        }
        stream.push_back(number);
      }
      stream_starts.push_back(stream.size());
    }
    advance(progress, count);
  }
  const size_t n_texts = texts.n_texts;
  const size_t n_stems = stems.texts().size();
  const uint32_t min_documents =
      n_texts < 100 ? 1 : static_cast<uint32_t>(std::max<size_t>(1, options.min_documents));

  // Pairs of stems are counted as (first << 32 | second), single stems as (stem << 32 | kNoTerm).
  const auto keys_of = [&](size_t text) {
    std::vector<uint64_t> keys;
    uint32_t previous = kBreak;
    for (size_t i = stream_starts[text]; i < stream_starts[text + 1]; ++i) {
      const uint32_t stem = stem_of_word[stream[i]];
      if (stem != kBreak) keys.push_back(uint64_t{stem} << 32 | TermTable::kNoTerm);
      if (stem != kBreak && previous != kBreak && stem != previous) {
        keys.push_back(uint64_t{previous} << 32 | stem);
      }
      previous = stem;
    }
    std::ranges::sort(keys);
    const auto [begin, end] = std::ranges::unique(keys);
    keys.erase(begin, end);
    return keys;
  };
  std::unordered_map<uint64_t, uint32_t> n_documents;
  n_documents.reserve(4 * n_stems);
  for (size_t text = 0; text < n_texts; ++text) {
    for (uint64_t key : keys_of(text)) ++n_documents[key];
  }
  std::vector<std::pair<uint64_t, uint32_t>> kept;
  for (const auto& [key, count] : n_documents) {
    if (count >= min_documents) kept.emplace_back(key, count);
  }
  n_documents.clear();
  std::ranges::sort(kept, [](const auto& a, const auto& b) {
    return std::pair(b.second, a.first) < std::pair(a.second, b.first);
  });
  if (kept.size() > options.max_terms) kept.resize(options.max_terms);

  TermTable table;
  std::unordered_map<uint64_t, uint32_t> term_of;
  term_of.reserve(2 * kept.size());
  for (const auto& [key, count] : kept) {
    term_of.emplace(key, static_cast<uint32_t>(table.n_documents.size()));
    table.n_documents.push_back(count);
  }
  // The commonest word of each stem spells it.
  std::vector<uint32_t> word_counts(words.texts().size(), 0), spelling(n_stems, kBreak);
  for (uint32_t word : stream) ++word_counts[word];
  for (uint32_t word = 0; word < word_counts.size(); ++word) {
    const uint32_t stem = stem_of_word[word];
    if (stem == kBreak) continue;
    uint32_t& best = spelling[stem];
    if (best == kBreak || word_counts[word] > word_counts[best]) best = word;
  }
  for (const auto& [key, count] : kept) {
    const auto first = static_cast<uint32_t>(key >> 32), second = static_cast<uint32_t>(key);
    std::string text = words.texts()[spelling[first]];
    if (second != TermTable::kNoTerm) text += ' ' + words.texts()[spelling[second]];
    table.spellings.push_back(std::move(text));
    table.first_stem.push_back(first);
    table.second_stem.push_back(second);
  }
  for (size_t text = 0; text < n_texts; ++text) {
    const size_t begin = table.terms.size();
    for (uint64_t key : keys_of(text)) {
      if (const auto found = term_of.find(key); found != term_of.end())
        table.terms.push_back(found->second);
    }
    std::sort(table.terms.begin() + static_cast<ptrdiff_t>(begin), table.terms.end());
    table.starts.push_back(table.terms.size());
  }
  return table;
}

}  // namespace carya
