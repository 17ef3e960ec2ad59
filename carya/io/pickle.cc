#include "carya/io/pickle.h"

#include <cstring>
#include <unordered_map>

#include "carya/core/error.h"

namespace carya {

// The stack machine of https://github.com/python/cpython/blob/main/Lib/pickletools.py, of whose 68
// instructions these occur in state dicts.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes), name_(name) {}

  Pickle run() {
    while (step()) {
    }
    pickle_.result_ = pop();
    return std::move(pickle_);
  }

 private:
  using Kind = Pickle::Kind;
  using Value = Pickle::Value;

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: pickle, byte {}: {}", name_, position_, reason));
  }
  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - position_) fail("cut off");
    const auto* p = reinterpret_cast<const char*>(bytes_.data()) + position_;
    position_ += size;
    return {p, size};
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  // "module\nname\n"
  std::string_view two_lines() {
    const size_t start = position_;
    for (int newlines = 0; newlines < 2;) newlines += take(1)[0] == '\n';
    return {reinterpret_cast<const char*>(bytes_.data()) + start, position_ - start};
  }
  void push(Value value) {
    stack_.push_back(static_cast<uint32_t>(pickle_.values_.size()));
    pickle_.values_.push_back(std::move(value));
  }
  uint32_t pop() {
    if (stack_.size() <= floor()) fail("the stack is empty");
    const uint32_t top = stack_.back();
    stack_.pop_back();
    return top;
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Value& top() {
    if (stack_.size() <= floor()) fail("the stack is empty");
    return pickle_.values_[stack_.back()];
  }
  std::vector<uint32_t> pop_to_mark() {
    if (marks_.empty()) fail("no mark");
    std::vector<uint32_t> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()),
                                stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void push_tuple(size_t n) {
    Value tuple{.kind = Kind::kTuple};
    tuple.items.resize(n);
    for (size_t i = n; i > 0; --i) tuple.items[i - 1] = pop();
    push(std::move(tuple));
  }
  void extend(Kind kind, const std::vector<uint32_t>& items) {
    Value& container = top();
    if (container.kind != kind) fail("items for something that is no list or dict");
    if (kind == Kind::kDict && items.size() % 2 != 0) fail("a key without a value");
    container.items.insert(container.items.end(), items.begin(), items.end());
  }
  void call() {
    const uint32_t arguments = pop(), function = pop();
    const Value& callee = pickle_.values_[function];
    if (callee.kind == Kind::kGlobal && callee.text == "collections\nOrderedDict\n") {
      return push({.kind = Kind::kDict});  // its items follow as of a plain dict
    }
    push({.kind = Kind::kCall, .items = {function, arguments}});
  }
  void put(uint32_t slot) {
    top();
    memo_[slot] = stack_.back();
  }
  void get(uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) fail("an unknown memo");
    stack_.push_back(found->second);
  }
  void long_integer(uint8_t size) {
    if (size > 8) fail("an integer of more than 8 bytes");
    const std::string_view digits = take(size);
    int64_t value = size > 0 && (digits.back() & 0x80) != 0 ? -1 : 0;
    std::memcpy(&value, digits.data(), size);
    push({.kind = Kind::kInt, .number = value});
  }

  // False after STOP.
  bool step() {
    const char op = take(1)[0];
    switch (op) {
      case '\x80':
        number<uint8_t>();
        break;  // PROTO
      case '\x95':
        number<uint64_t>();
        break;  // FRAME
      case '.':
        return false;  // STOP
      case '(':
        marks_.push_back(stack_.size());
        break;  // MARK
      case 'N':
        push({});
        break;  // NONE
      case '\x88':
        push({.kind = Kind::kBool, .number = 1});
        break;  // NEWTRUE
      case '\x89':
        push({.kind = Kind::kBool});
        break;  // NEWFALSE
      case 'K':
        push({.kind = Kind::kInt, .number = number<uint8_t>()});
        break;  // BININT1
      case 'M':
        push({.kind = Kind::kInt, .number = number<uint16_t>()});
        break;  // BININT2
      case 'J':
        push({.kind = Kind::kInt, .number = number<int32_t>()});
        break;  // BININT
      case '\x8a':
        long_integer(number<uint8_t>());
        break;  // LONG1
      case 'G':
        number<uint64_t>();
        push({.kind = Kind::kFloat});
        break;  // BINFLOAT
      case 'X':
        push({.kind = Kind::kText, .text = take(number<uint32_t>())});
        break;      // BINUNICODE
      case '\x8c':  // SHORT_BINUNICODE
        push({.kind = Kind::kText, .text = take(number<uint8_t>())});
        break;
      case 'c':
        push({.kind = Kind::kGlobal, .text = two_lines()});
        break;  // GLOBAL
      case ')':
        push({.kind = Kind::kTuple});
        break;  // EMPTY_TUPLE
      case '\x85':
        push_tuple(1);
        break;  // TUPLE1
      case '\x86':
        push_tuple(2);
        break;
      case '\x87':
        push_tuple(3);
        break;
      case 't':
        push({.kind = Kind::kTuple, .items = pop_to_mark()});
        break;  // TUPLE
      case ']':
        push({.kind = Kind::kList});
        break;  // EMPTY_LIST
      case 'a':
        extend(Kind::kList, {pop()});
        break;  // APPEND
      case 'e':
        extend(Kind::kList, pop_to_mark());
        break;  // APPENDS
      case '}':
        push({.kind = Kind::kDict});
        break;     // EMPTY_DICT
      case 's': {  // SETITEM
        const uint32_t value = pop(), key = pop();
        extend(Kind::kDict, {key, value});
        break;
      }
      case 'u':
        extend(Kind::kDict, pop_to_mark());
        break;  // SETITEMS
      case 'R':
        call();
        break;  // REDUCE
      case 'b':
        pop();
        top();
        break;  // BUILD: attributes, such as _metadata
      case 'Q':
        push({.kind = Kind::kPersistent, .items = {pop()}});
        break;  // BINPERSID
      case 'q':
        put(number<uint8_t>());
        break;  // BINPUT
      case 'r':
        put(number<uint32_t>());
        break;  // LONG_BINPUT
      case '\x94':
        put(static_cast<uint32_t>(memo_.size()));
        break;  // MEMOIZE
      case 'h':
        get(number<uint8_t>());
        break;  // BINGET
      case 'j':
        get(number<uint32_t>());
        break;  // LONG_BINGET
      default:
        fail(fmt::format("instruction 0x{:02x} does not belong to a state dict",
                         static_cast<unsigned char>(op)));
    }
    return true;
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  size_t position_ = 0;
  Pickle pickle_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, uint32_t> memo_;
};

Pickle Pickle::parse(std::span<const std::byte> bytes, const std::string& name) {
  return PickleMachine(bytes, name).run();
}

}  // namespace carya
