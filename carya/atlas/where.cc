#include "carya/atlas/where.h"

#include <algorithm>
#include <cctype>

#include "carya/core/error.h"

namespace carya {
namespace {

constexpr int kMaxNesting = 100;  // of parentheses and nots: far beyond need, far below the stack
// SQLite refuses expressions deeper than 1000, and each comparison may be one deeper.
constexpr int kMaxComparisons = 500;
constexpr size_t kMaxValues = 10'000;  // SQLite stops at 32766

struct Token {
  enum class Kind { kWord, kQuoted, kSymbol, kEnd } kind = Kind::kEnd;
  std::string text;
  size_t at = 0;
};

class WhereParser {
 public:
  WhereParser(std::string_view text, std::span<const MetadataColumn> columns)
      : text_(text), columns_(columns) {
    advance();
  }

  WhereClause parse() {
    clause_.sql = disjunction();
    if (token_.kind != Token::Kind::kEnd) fail("'and', 'or' or the end");
    return std::move(clause_);
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    const std::string found =
        token_.kind == Token::Kind::kEnd ? "the end" : "'" + token_.text + "'";
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--where '{}': at character {} {} is expected, found {}; an example: "
                            "size >= 1000 and section = games",
                            text_, token_.at + 1, expected, found));
  }

  void advance() {
    while (next_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[next_]))) ++next_;
    token_ = {Token::Kind::kEnd, "", next_};
    if (next_ == text_.size()) return;
    const char c = text_[next_];
    static constexpr std::string_view kSymbols[] = {"==", "!=", "<>", "<=", ">=", "=",
                                                    "<",  ">",  "~",  "(",  ")",  ","};
    for (std::string_view symbol : kSymbols) {
      if (text_.substr(next_).starts_with(symbol)) {
        token_ = {Token::Kind::kSymbol, std::string(symbol), next_};
        next_ += symbol.size();
        return;
      }
    }
    if (c == '\'' || c == '"') {
      token_.kind = Token::Kind::kQuoted;
      for (size_t i = next_ + 1;; ++i) {
        if (i == text_.size()) {
          throw Error(ErrorKind::kInvalidArgument,
                      fmt::format("--where '{}': the quote at character {} is not closed", text_,
                                  next_ + 1));
        }
        if (text_[i] == c) {
          if (i + 1 == text_.size() || text_[i + 1] != c) {
            next_ = i + 1;
            return;
          }
          ++i;
        }
        token_.text += text_[i];
      }
    }
    const size_t end = std::min(text_.find_first_of(" \t\r\n=!<>~(),'\"", next_ + 1), text_.size());
    token_ = {Token::Kind::kWord, std::string(text_.substr(next_, end - next_)), next_};
    next_ = end;
  }

  bool is_keyword(std::string_view keyword) const {
    return token_.kind == Token::Kind::kWord &&
           std::ranges::equal(token_.text, keyword, [](unsigned char a, unsigned char b) {
             return std::tolower(a) == b;
           });
  }
  bool accept_keyword(std::string_view keyword) {
    if (!is_keyword(keyword)) return false;
    advance();
    return true;
  }
  bool accept_symbol(std::string_view symbol) {
    if (token_.kind != Token::Kind::kSymbol || token_.text != symbol) return false;
    advance();
    return true;
  }

  std::string disjunction() {
    std::string sql = conjunction();
    while (accept_keyword("or")) sql += " OR " + conjunction();
    return "(" + sql + ")";
  }
  std::string conjunction() {
    std::string sql = condition();
    while (accept_keyword("and")) sql += " AND " + condition();
    return sql;
  }
  std::string condition() {
    if (++depth_ > kMaxNesting) fail("less nesting");
    std::string sql;
    if (accept_keyword("not")) {
      sql = "NOT " + condition();
    } else if (accept_symbol("(")) {
      sql = disjunction();
      if (!accept_symbol(")")) fail("')'");
    } else {
      sql = comparison();
    }
    --depth_;
    return sql;
  }

  // The column that stands here, as its position.
  size_t column() {
    if (token_.kind != Token::Kind::kWord && token_.kind != Token::Kind::kQuoted) fail("a column");
    const auto found = std::ranges::find(columns_, token_.text, &MetadataColumn::name);
    if (found == columns_.end()) {
      std::string known;
      for (const MetadataColumn& c : columns_) known += (known.empty() ? "" : ", ") + c.name;
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--where '{}': there is no column '{}'; there are: {}", text_,
                              token_.text, known.empty() ? "none" : known));
    }
    advance();
    return static_cast<size_t>(found - columns_.begin());
  }

  std::string comparison() {
    if (++n_comparisons_ > kMaxComparisons) fail("an end (500 comparisons are too many)");
    const size_t position = column();
    const ColumnType type = columns_[position].type;
    const std::string name = sql_column(position);
    if (accept_keyword("is")) {
      const bool negated = accept_keyword("not");
      if (!accept_keyword("null")) fail("null");
      return name + (negated ? " IS NOT NULL" : " IS NULL");
    }
    const bool negated = accept_keyword("not");
    if (accept_keyword("in")) {
      if (!accept_symbol("(")) fail("'('");
      std::string list;
      do {
        list += (list.empty() ? "" : ", ") + value(type);
      } while (accept_symbol(","));
      if (!accept_symbol(")")) fail("',' or ')'");
      return name + (negated ? " NOT IN (" : " IN (") + list + ")";
    }
    if (negated) fail("in");
    if (accept_symbol("~")) {
      return "instr(lower(" + name + "), lower(" + value(ColumnType::kText) + ")) > 0";
    }
    static constexpr std::string_view kComparisons[] = {"=", "==", "!=", "<>",
                                                        "<", "<=", ">",  ">="};
    if (token_.kind != Token::Kind::kSymbol ||
        std::ranges::find(kComparisons, token_.text) == std::end(kComparisons)) {
      fail("a comparison (= != < <= > >= ~ in is)");
    }
    const std::string comparison = token_.text;
    advance();
    return name + " " + comparison + " " + value(type);
  }

  // The parameter that stands for the value here, which must be of the type.
  std::string value(ColumnType type) {
    if (token_.kind != Token::Kind::kWord && token_.kind != Token::Kind::kQuoted) fail("a value");
    if (clause_.values.size() == kMaxValues) fail("an end (10,000 values are too many)");
    if (type == ColumnType::kText) {
      clause_.values.emplace_back(token_.text);
    } else if (const auto integer = parse_integer(token_.text)) {
      clause_.values.emplace_back(*integer);
    } else if (const auto number = parse_number(token_.text)) {
      clause_.values.emplace_back(*number);
    } else {
      fail("a number (the column holds numbers)");
    }
    advance();
    return fmt::format("?{}", clause_.values.size());
  }

  std::string_view text_;
  std::span<const MetadataColumn> columns_;
  size_t next_ = 0;
  int depth_ = 0, n_comparisons_ = 0;
  Token token_;
  WhereClause clause_;
};

}  // namespace

WhereClause parse_where(std::string_view text, std::span<const MetadataColumn> columns) {
  return WhereParser(text, columns).parse();
}

std::string sql_column(size_t position) { return fmt::format("c{}", position); }

}  // namespace carya
