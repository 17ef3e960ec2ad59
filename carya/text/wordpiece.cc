#include "carya/text/wordpiece.h"

#include <algorithm>

#include "carya/core/error.h"

namespace carya {

WordPiece::WordPiece(std::vector<std::string> tokens, const WordPieceOptions& options)
    : tokens_(std::move(tokens)),
      options_(options),
      starts_(8 * tokens_.size()),
      continuations_(8 * tokens_.size()) {
  for (size_t id = 0; id < tokens_.size(); ++id) {
    const std::string_view token = tokens_[id];
    if (token.empty()) continue;
    const auto id32 = static_cast<int32_t>(id);
    if (token.starts_with(options.continuation) && token.size() > options.continuation.size()) {
      continuations_.insert(token.substr(options.continuation.size()), id32);
    } else {
      starts_.insert(token, id32);
    }
    if (token == options.unknown) unknown_id_ = id32;
    if (token == options.first) first_id_ = id32;
    if (token == options.last) last_id_ = id32;
    if (std::ranges::find(options.special, token) != options.special.end()) {
      specials_.insert(token, id32);
      special_ids_.push_back(id32);
      if (special_starts_.find(token[0]) == std::string::npos) special_starts_ += token[0];
    }
  }
  const auto demand = [&](int32_t id, const std::string& token) {
    require(id >= 0, "the vocabulary of {} tokens has no {}", tokens_.size(), token);
  };
  demand(unknown_id_, options.unknown);
  demand(first_id_, options.first);
  demand(last_id_, options.last);
}

void WordPiece::encode(std::string_view text, size_t max_tokens, std::vector<int32_t>& ids) const {
  require(max_tokens >= 2, "max_tokens is {}, but {} and {} alone are 2", max_tokens,
          token(static_cast<size_t>(first_id_)), token(static_cast<size_t>(last_id_)));
  const size_t max_size = ids.size() + max_tokens - 1;
  ids.push_back(first_id_);
  size_t plain = 0;  // where the text since the last special token begins
  for (size_t i = 0; ids.size() < max_size;) {
    i = std::min(text.find_first_of(special_starts_, i), text.size());
    const PieceTrie::Match match = specials_.longest_prefix(text.substr(i));
    if (i < text.size() && match.id < 0) {
      ++i;
      continue;
    }
    encode_plain(text.substr(plain, i - plain), max_size, ids);
    if (i == text.size()) break;
    ids.push_back(match.id);
    i += match.length;
    plain = i;
  }
  ids.resize(std::min(ids.size(), max_size));
  ids.push_back(last_id_);
}

void WordPiece::encode_plain(std::string_view text, size_t max_size,
                             std::vector<int32_t>& ids) const {
  WordSplitter words(text, options_.normalizer);
  while (ids.size() < max_size && words.next()) {
    if (words.n_chars() > options_.max_chars_per_word) {
      ids.push_back(unknown_id_);
    } else {
      append_word(words.word(), ids);
    }
  }
}

void WordPiece::append_word(std::string_view word, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  const PieceTrie* trie = &starts_;
  while (!word.empty()) {
    const PieceTrie::Match match = trie->longest_prefix(word);
    if (match.id < 0) {  // one piece is not known, so the word is not
      ids.resize(before);
      ids.push_back(unknown_id_);
      return;
    }
    ids.push_back(match.id);
    word.remove_prefix(match.length);
    trie = &continuations_;
  }
}

}  // namespace carya
