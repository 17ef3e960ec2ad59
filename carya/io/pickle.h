#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace carya {

// A Python pickle (protocols 2 to 4) as data.  Its calls are recorded, never made: a pickle can do
// no more here than be wrong.  Only what state dicts consist of is known; anything else is an
// error. Lists and dicts may contain themselves, so do not walk a value recursively.
class Pickle {
 public:
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kTuple,
    kList,
    kDict,
    kGlobal,
    kCall,
    kPersistent
  };
  struct Value {
    Kind kind = Kind::kNone;
    int64_t number = 0;          // kBool, kInt
    std::string_view text = {};  // kText, in the file; kGlobal: "module\nname\n"
    // kTuple, kList: the items; kDict: key, value, key, value ...; kCall: function, arguments;
    // kPersistent: the id.
    std::vector<uint32_t> items = {};
  };

  // Throws kCorrupt, with `name` in front.  The values point into `bytes`.  O(bytes.size()).
  static Pickle parse(std::span<const std::byte> bytes, const std::string& name);
  const Value& operator[](uint32_t i) const { return values_.at(i); }
  const Value& result() const { return values_.at(result_); }

 private:
  friend class PickleMachine;
  std::vector<Value> values_;
  uint32_t result_ = 0;
};

}  // namespace carya
