#include "carya/io/csv.h"

#include <algorithm>
#include <array>
#include <utility>

#include "carya/core/error.h"

namespace carya {
namespace {
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
}

CsvParser::CsvParser(std::string_view text, std::string name, char delimiter, CsvQuotes quotes)
    : text_(text), name_(std::move(name)), delimiter_(delimiter), quotes_(quotes) {
  if (text_.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
}

bool CsvParser::at_line_end() const {
  return position_ == text_.size() || text_[position_] == '\n' || text_[position_] == '\r';
}

void CsvParser::skip_line_end() {
  if (position_ == text_.size()) return;
  if (text_[position_] == '\r') ++position_;
  if (position_ < text_.size() && text_[position_] == '\n') ++position_;
  ++line_;
}

bool CsvParser::closes_on_its_line() const {
  for (size_t i = position_ + 1; i < text_.size() && text_[i] != '\n' && text_[i] != '\r'; ++i) {
    if (text_[i] != '"') continue;
    const char after = i + 1 < text_.size() ? text_[i + 1] : '\n';
    if (after == '"') {
      ++i;
    } else {
      return after == delimiter_ || after == '\n' || after == '\r';
    }
  }
  return false;
}

void CsvParser::quoted_field(std::string& field) {
  const size_t opened = line_;
  ++position_;
  for (;;) {
    const size_t quote = text_.find('"', position_);
    if (quote == std::string_view::npos) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}:{}: a quote is opened but never closed", name_, opened));
    }
    const std::string_view part = text_.substr(position_, quote - position_);
    line_ += static_cast<size_t>(std::ranges::count(part, '\n'));
    field += part;
    position_ = quote + 1;
    if (position_ == text_.size() || text_[position_] != '"') break;
    field += '"';
    ++position_;
  }
  if (!at_line_end() && text_[position_] != delimiter_) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}:{}: after a closing quote comes '{}', not the delimiter '{}'; is the "
                    "quote inside meant as \"\"?",
                    name_, line_, text_[position_], delimiter_));
  }
}

bool CsvParser::next(std::vector<std::string>& fields) {
  fields.clear();
  while (position_ < text_.size() && at_line_end()) skip_line_end();
  if (position_ == text_.size()) return false;
  row_line_ = line_;
  for (;;) {
    std::string& field = fields.emplace_back();
    const bool quoted = !at_line_end() && text_[position_] == '"' &&
                        (quotes_ == CsvQuotes::kAcrossLines || closes_on_its_line());
    if (quoted) {
      quoted_field(field);
    } else {
      const std::array<char, 3> stops = {delimiter_, '\n', '\r'};
      const size_t end =
          std::min(text_.find_first_of(std::string_view(stops.data(), stops.size()), position_),
                   text_.size());
      field = text_.substr(position_, end - position_);
      position_ = end;
    }
    if (at_line_end()) {
      skip_line_end();
      return true;
    }
    ++position_;  // the delimiter
  }
}

char likely_delimiter(std::string_view text) {
  constexpr std::string_view kCandidates = ",;\t|";
  std::array<size_t, kCandidates.size()> counts{};
  bool quoted = false;
  for (char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n' || c == '\r') break;
    const size_t candidate = kCandidates.find(c);
    if (candidate != std::string_view::npos) ++counts[candidate];
  }
  return kCandidates[static_cast<size_t>(std::ranges::max_element(counts) - counts.begin())];
}

}  // namespace carya
