#include "carya/atlas/input.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "carya/atlas/atlas.h"
#include "carya/atlas/test_data.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Records from memory, with one metadata column.
class ListReader final : public RecordReader {
 public:
  explicit ListReader(std::vector<Record> records) : records_(std::move(records)) {}
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    if (at_ == records_.size()) return false;
    record = records_[at_++];
    return true;
  }
  size_t bytes_read() const noexcept override { return at_; }
  size_t bytes_total() const noexcept override { return records_.size(); }

 private:
  std::vector<Record> records_;
  std::vector<std::string> columns_ = {"theme"};
  size_t at_ = 0;
};

std::vector<Record> records(size_t n, size_t first = 0) {
  static constexpr const char* kThemes[] = {"chess board", "image viewer", "guitar chord"};
  std::vector<Record> list;
  for (size_t i = first; i < first + n; ++i) {
    const std::string theme = kThemes[i % 3];
    list.push_back({std::to_string(i), theme + " number" + std::to_string(i % 7), {theme}, ""});
  }
  return list;
}

std::unique_ptr<AtlasInput> input_of(std::vector<Record> list) {
  return record_input(std::make_unique<ListReader>(std::move(list)), "the records");
}

std::string checksum_of(std::vector<Record> list) {
  ListReader reader(std::move(list));
  ChecksummedRecords checked(reader);
  for (Record record; checked.next(record);) continue;
  return checked.checksum();
}

class InputTest : public InFolder {
 protected:
  fs::path out() const { return folder_ / "out.atlas"; }
  // The notices of a build that is stopped when items are named, and then goes on with `then`.
  std::vector<std::string> notices_after_interruption(std::vector<Record> then) {
    fs::remove_all(out());
    StopAt stop("naming");
    EXPECT_THROW(build_atlas(*input_of(records(120)), out(), lsa_options(), &stop), Error);
    AtlasOptions options = lsa_options();
    std::vector<std::string> notices;
    options.notice = [&](const std::string& text) { notices.push_back(text); };
    build_atlas(*input_of(std::move(then)), out(), options);
    return notices;
  }
  std::map<std::string, std::string> result() const {
    auto files = contents(out());
    files.erase("run.json");
    return files;
  }
};

TEST(ChecksummedRecords, TellContentsApart) {
  const std::string sum = checksum_of(records(10));
  EXPECT_EQ(checksum_of(records(10)), sum);
  EXPECT_NE(checksum_of(records(9)), sum);
  EXPECT_NE(checksum_of(records(10, 1)), sum);
  auto changed = records(10);
  changed[3].values[0] = int64_t{1};
  const std::string with_integer = checksum_of(changed);
  EXPECT_NE(with_integer, sum);
  changed[3].values[0] = 1.0;
  EXPECT_NE(checksum_of(changed), with_integer);
  // What moves from the id to the text is another record.
  EXPECT_NE(checksum_of({{"a", "bc", {}, ""}}), checksum_of({{"ab", "c", {}, ""}}));
}

TEST_F(InputTest, RecordsMakeTheAtlasThatTheirFileMakes) {
  std::string csv = "id,text,theme\n";
  for (const Record& r : records(120)) {
    csv += r.id + "," + r.text + "," + std::get<std::string>(r.values[0]) + "\n";
  }
  build_atlas(file("in.csv", csv), out(), lsa_options());
  const auto reference = result();
  fs::remove_all(out());
  build_atlas(*input_of(records(120)), out(), lsa_options());
  EXPECT_EQ(result(), reference);
}

TEST_F(InputTest, ABuildOfTheSameRecordsGoesOn) {
  build_atlas(*input_of(records(120)), out(), lsa_options());
  const auto reference = result();
  EXPECT_THAT(notices_after_interruption(records(120)), ElementsAre(HasSubstr("going on with")));
  EXPECT_EQ(result(), reference);
  EXPECT_EQ(Atlas::open(out()).info().stages.size(), 7u);
}

TEST_F(InputTest, OtherRecordsStartAnew) {
  build_atlas(*input_of(records(120, 1)), out(), lsa_options());
  const auto reference = result();
  EXPECT_THAT(notices_after_interruption(records(120, 1)), ElementsAre());
  EXPECT_EQ(result(), reference);
}

TEST_F(InputTest, VectorsInMemoryMakeTheAtlasThatTheirFileMakes) {
  const Matrix<float> points = blobs(200, 6, 4);
  write_npy(folder_ / "in.npy", points);
  build_atlas(folder_ / "in.npy", out(), {});
  const auto reference = result();
  fs::remove_all(out());
  build_atlas(*vector_input(points, "the array"), out(), {});
  EXPECT_EQ(result(), reference);
  EXPECT_TRUE(std::ranges::equal(Atlas::open(out()).vectors().row(7), points.view().row(7)));
  Matrix<float> other = points.copy();
  other(3, 4) += 1;
  EXPECT_NE(vector_input(points, "")->identity(), vector_input(other, "")->identity());
}

TEST_F(InputTest, WhatCannotBeIsRefusedByItsName) {
  EXPECT_THAT([&] { build_atlas(*input_of({}), out(), lsa_options()); },
              ThrowsMessage<Error>(HasSubstr("the records: has no items")));
  Matrix<float> points(3, 2);
  points(1, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT([&] { build_atlas(*vector_input(points, "the array"), out(), {}); },
              ThrowsMessage<Error>(HasSubstr("vector")));
  EXPECT_THAT([&] { build_atlas(*vector_input(points, "the array"), out(), lsa_options()); },
              ThrowsMessage<Error>(HasSubstr("the array holds vectors")));
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(InputTest, ItemsAreAddedFromMemory) {
  build_atlas(*input_of(records(120)), out(), lsa_options());
  EXPECT_EQ(add_to_atlas(out(), *input_of(records(5, 120))), 5u);
  EXPECT_EQ(Atlas::open(out()).items().id(124), "124");
  const Matrix<float> points = blobs(3, 6, 1);
  EXPECT_THAT([&] { add_to_atlas(out(), *vector_input(points, "the array")); },
              ThrowsMessage<Error>(HasSubstr("the array: holds vectors, the atlas texts")));
}

}  // namespace
}  // namespace carya
