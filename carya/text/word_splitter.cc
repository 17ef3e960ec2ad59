#include "carya/text/word_splitter.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include <array>

#include "carya/core/error.h"

namespace carya {

namespace {

// The general category in Unicode 8, whose tables the reference has: younger characters are
// unassigned (that is, parts of words), and five have changed since.
uint32_t category_mask(char32_t c) {
  switch (c) {
    case 0x166d:
    case 0x111c9:
      return U_GC_PO_MASK;
    case 0x1734:
      return U_GC_MN_MASK;
    case 0x1885:
    case 0x1886:
    case 0xa9bd:
      return U_GC_LO_MASK;
  }
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] > 8 ? U_GC_CN_MASK : U_GET_GC_MASK(static_cast<UChar32>(c));
}

bool is_mark(char32_t c) { return (category_mask(c) & U_GC_MN_MASK) != 0; }

bool is_punctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');  // symbols such as $ and + too
  }
  return (category_mask(c) & U_GC_P_MASK) != 0;
}

// The CJK blocks that BERT lists: ideographs; no kana, no hangul.
bool is_chinese(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

bool is_white_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)); }

bool is_control(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return (category_mask(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK)) != 0;
}

}  // namespace

struct WordSplitter::AsciiTable {
  std::array<CharClass, 128> classes{};
  constexpr AsciiTable() {
    for (int c = 0; c < 128; ++c) {
      const bool letter =
          (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      const bool space = c == ' ' || (c >= '\t' && c <= '\r');
      classes[static_cast<size_t>(c)] = letter                ? CharClass::kWord
                                        : space               ? CharClass::kSpace
                                        : c < ' ' || c == 127 ? CharClass::kDrop
                                                              : CharClass::kAlone;
    }
    // Vertical tab and form feed are white space, but control characters are dropped before.
    classes['\v'] = classes['\f'] = CharClass::kDrop;
  }
};

WordSplitter::CharClass WordSplitter::classify(char32_t c) const {
  if (is_white_space(c)) return CharClass::kSpace;
  return is_punctuation(c) ? CharClass::kAlone : CharClass::kWord;
}

// One character of the text to pending_: cleaned, decomposed, lower-cased, classified.
void WordSplitter::expand(char32_t c) {
  first_pending_ = n_pending_ = 0;
  const auto push = [&](char32_t code, CharClass char_class) {
    if (n_pending_ < kMaxExpansion) pending_[n_pending_++] = {code, char_class};
  };
  if (options_.clean_text) {
    if (c == 0 || c == 0xfffd || is_control(c)) return;
    if (is_white_space(c)) return push(' ', CharClass::kSpace);
  }
  const bool alone = options_.handle_chinese_chars && is_chinese(c);
  const auto lower = [&](char32_t code) {
    if (options_.lowercase) {
      const auto lowered = static_cast<char32_t>(u_tolower(static_cast<UChar32>(code)));
      if (code == 0x130) {  // the one letter whose lower case is two characters
        push('i', CharClass::kWord);
        return push(0x307, CharClass::kWord);
      }
      code = lowered;
    }
    push(code, alone ? CharClass::kAlone : classify(code));
  };
  if (!options_.strip_accents) return lower(c);

  UErrorCode status = U_ZERO_ERROR;
  static const UNormalizer2* const nfd = unorm2_getNFDInstance(&status);
  UChar decomposed[2 * kMaxExpansion];
  const int32_t length =
      unorm2_getDecomposition(nfd, static_cast<UChar32>(c), decomposed, 2 * kMaxExpansion, &status);
  if (length < 0 || U_FAILURE(status)) {
    if (!is_mark(c)) lower(c);
    return;
  }
  for (int32_t i = 0; i < length;) {
    UChar32 part;
    U16_NEXT(decomposed, i, length, part);
    if (!is_mark(static_cast<char32_t>(part))) lower(static_cast<char32_t>(part));
  }
}

void WordSplitter::append(char32_t c) {
  char bytes[4];
  int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, static_cast<UChar32>(c));
  word_.append(bytes, static_cast<size_t>(length));
  ++n_chars_;
}

bool WordSplitter::next() {
  static constexpr AsciiTable kAscii;
  word_.clear();
  n_chars_ = 0;
  while (true) {
    Char c;
    size_t step = 0;  // bytes of text, or a pending character if 0
    if (first_pending_ < n_pending_) {
      c = pending_[first_pending_];
    } else if (position_ == text_.size()) {
      return !word_.empty();
    } else if (const auto byte = static_cast<unsigned char>(text_[position_]); byte < 0x80) {
      c = {byte, kAscii.classes[byte]};
      step = 1;
      if (c.char_class == CharClass::kWord && options_.lowercase && byte >= 'A' && byte <= 'Z') {
        c.code = byte + 32u;
      }
      if (c.char_class == CharClass::kDrop && !options_.clean_text) {
        c.char_class = classify(byte);
      }
    } else {
      UChar32 code;
      size_t i = position_;
      U8_NEXT_OR_FFFD(text_.data(), i, text_.size(), code);
      position_ = i;
      expand(static_cast<char32_t>(code));
      continue;
    }
    const bool ends_word = c.char_class == CharClass::kSpace || c.char_class == CharClass::kAlone;
    if (ends_word && !word_.empty()) return true;  // looked at again by the next call
    position_ += step;
    if (step == 0) ++first_pending_;
    if (c.char_class == CharClass::kWord || c.char_class == CharClass::kAlone) append(c.code);
    if (c.char_class == CharClass::kAlone) return true;
  }
}

}  // namespace carya
