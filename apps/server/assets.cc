#include "apps/server/assets.h"

#include <algorithm>
#include <span>

#include "embedded_files.h"

namespace carya {
namespace {

std::optional<std::string_view> find(std::string_view name) {
  const std::span<const EmbeddedFile> files(kEmbeddedFiles);
  const auto found = std::ranges::find(files, name, &EmbeddedFile::name);
  if (found == files.end()) return std::nullopt;
  return std::string_view(found->begin, static_cast<size_t>(found->end - found->begin));
}

}  // namespace

std::string_view openapi_document() { return *find("openapi.json"); }
std::optional<std::string_view> explorer_file(std::string_view name) {
  return name == "openapi.json" ? std::nullopt : find(name);
}
bool has_explorer() { return find("index.html").has_value(); }

}  // namespace carya
