#include "carya/io/record_source.h"

namespace carya {

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

Source::Source(const std::filesystem::path& path) : name_(path.string()) {
  if (path == "-") {
    name_ = "standard input";
    piped_ = read_file("/dev/stdin");
    text_ = piped_;
  } else {
    mapped_ = MappedFile::open(path);
    text_ = mapped_.text();
  }
}

bool LineCursor::next(std::string_view& line) {
  while (position_ < text_.size()) {
    const size_t end = std::min(text_.find('\n', position_), text_.size());
    line = text_.substr(position_, end - position_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    position_ = end + 1;
    ++number_;
    if (line.find_first_not_of(" \t\r\v\f") != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace carya
