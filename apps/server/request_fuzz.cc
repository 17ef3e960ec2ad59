// Targets, hosts and bodies of requests: any bytes are an answer or an Error, never a crash.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "apps/server/parameters.h"
#include "apps/server/url.h"
#include "carya/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view first = text.substr(0, std::min(text.find('\n'), text.size()));
  const std::string_view rest = text.substr(std::min(first.size() + 1, text.size()));
  const auto ignore_errors = [](auto&& action) {
    try {
      action();
    } catch (const carya::Error&) {
    }
  };
  ignore_errors([&] {
    carya::Parameters parameters(carya::parse_target(first).parameters);
    parameters.number("limit", 1, 0, 1000);
    parameters.flag("brief");
    parameters.finish();
  });
  ignore_errors([&] { carya::Parameters::from_json(rest).finish(); });
  carya::host_name(first);
  return 0;
}
