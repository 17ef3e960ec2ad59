#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/text/words.h"

namespace carya {

enum class Precision { kAuto, kF32, kBf16, kInt8 };

struct EncoderOptions {
  // auto: the sentence encoder with the words and word pieces, or the words alone where there is no
  //       model; minilm: the sentence encoder alone; static: its distilled token table with the
  //       words and pieces; lsa: the words alone; else the folder of a sentence-transformers model,
  //       used like minilm.
  std::string encoder = "auto";
  // auto: bf16 where the CPU computes with it, else f32, whose vectors agree with the model's own
  // to a cosine of 0.9999; joined with the words, for encoder "auto", int8 (0.99), twice as fast.
  Precision precision = Precision::kAuto;
  std::filesystem::path cache = {};  // where models/all-MiniLM-L6-v2 lies; empty: CARYA_CACHE
  uint64_t seed = 0;
};

// ${CARYA_CACHE}, or ~/.cache/carya.
std::filesystem::path default_cache();

// How texts become vectors, the items' and later the queries' alike: one or more views, each a
// vector of length 1 (or 0, if it knows nothing of the text), weighted, side by side, the whole
// scaled to length 1.  The views see different things: what a sentence means; which words are in
// it; which pieces of words, as names share them.  Joined they agree with people's sections better
// than any of them (docs/quality.md).  Immutable, so many threads may encode.
class Representation {
 public:
  // Learns what the views need from the texts.  Throws kNotFound if a model that was asked for is
  // not there, saying how to get it; kInvalidArgument if no text has a word.
  static Representation fit(const TextSource& texts, const EncoderOptions& options,
                            Progress* progress = nullptr);
  // What save() wrote into the folder.  Throws kNotFound if the model it names is gone, kCorrupt.
  static Representation open(const std::filesystem::path& folder);
  void save(const std::filesystem::path& folder) const;

  Representation(Representation&&) noexcept;
  Representation& operator=(Representation&&) noexcept;
  ~Representation();

  size_t dim() const noexcept;
  std::string description() const;  // "all-MiniLM-L6-v2 (int8) + words + pieces"
  // What of the wish could not be had, for the user; empty if nothing.
  const std::string& notice() const noexcept;
  // vectors [texts.size(), dim()].  A text's vector depends on the text alone.
  void encode(std::span<const std::string> texts, MatrixView<float> vectors,
              Progress* progress = nullptr) const;

  class View;  // one way to see a text

 private:
  Representation();
  struct Part {
    std::string name;
    float weight;
    std::unique_ptr<View> view;
  };
  std::vector<Part> parts_;
  std::string notice_;
};

}  // namespace carya
