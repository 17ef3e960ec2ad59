#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carya/text/piece_trie.h"
#include "carya/text/word_splitter.h"

namespace carya {

struct WordPieceOptions {
  NormalizerOptions normalizer;
  std::string unknown = "[UNK]", first = "[CLS]", last = "[SEP]";
  std::string continuation = "##";  // how the tokens begin that go on a word
  size_t max_chars_per_word = 100;  // a longer word is `unknown`
  // Found in the raw text, before anything else is done to it.
  std::vector<std::string> special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
};

// The tokenizer of the BERT family: words, then the longest known piece, again and again.  Gives
// the same ids as Hugging Face `tokenizers`.  Immutable, so many threads may share it.
//
//   WordPiece tokenizer = WordPiece::open("models/all-MiniLM-L6-v2");
//   std::vector<int32_t> ids;
//   tokenizer.encode("A text", 256, ids);  // 101 1037 3793 102
class WordPiece {
 public:
  // tokens[id], "" for an id that is not used.  Throws kInvalidArgument if `unknown`, `first` or
  // `last` is not among them.
  explicit WordPiece(std::vector<std::string> tokens, const WordPieceOptions& options = {});
  // folder/tokenizer.json, else folder/vocab.txt with folder/tokenizer_config.json.  Throws
  // kNotFound, or kCorrupt with the file's name; a tokenizer of another kind is an error that names
  // it.
  static WordPiece open(const std::filesystem::path& folder);
  // `name` is for messages.
  static WordPiece from_tokenizer_json(std::string_view json, const std::string& name);
  // A token a line, the line's number from 0 is its id.
  static WordPiece from_vocab(std::string_view lines, const std::string& name,
                              const WordPieceOptions& options = {});

  // Appends first, the pieces of text, last: at most max_tokens (>= 2) ids, the pieces that do not
  // fit left out.  Linear in what is read, and no more is read than fits.
  void encode(std::string_view text, size_t max_tokens, std::vector<int32_t>& ids) const;

  const WordPieceOptions& options() const noexcept { return options_; }
  size_t size() const noexcept { return tokens_.size(); }  // greatest id + 1
  std::string_view token(size_t id) const { return tokens_.at(id); }
  int32_t first_id() const noexcept { return first_id_; }
  int32_t last_id() const noexcept { return last_id_; }
  int32_t unknown_id() const noexcept { return unknown_id_; }
  // The ids of WordPieceOptions::special that exist.
  const std::vector<int32_t>& special_ids() const noexcept { return special_ids_; }

 private:
  void encode_plain(std::string_view text, size_t max_size, std::vector<int32_t>& ids) const;
  void append_word(std::string_view word, std::vector<int32_t>& ids) const;

  std::vector<std::string> tokens_;
  WordPieceOptions options_;
  int32_t unknown_id_ = -1, first_id_ = -1, last_id_ = -1;
  PieceTrie starts_, continuations_, specials_;
  std::vector<int32_t> special_ids_;
  std::string special_starts_;  // the bytes with which special tokens begin
};

}  // namespace carya
