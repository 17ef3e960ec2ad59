// Files of a WindowIndex.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/core/file.h"
#include "carya/index/window_test_data.h"

namespace carya {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

TEST(WindowIndexTest, OpensWhatItSaved) {
  const Items items(2500, 400);
  for (const Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct}) {
    WindowIndex index(kDim, metric,
                      {.beta = 3, .cutoff = 100, .shifted = true, .delta_share = 0.9});
    index.add(std::span(items.ids).first(2400), std::span(items.labels).first(2400),
              items.points.view().slice(0, 2400));
    index.add(std::span(items.ids).subspan(2400, 60), std::span(items.labels).subspan(2400, 60),
              items.points.view().slice(2400, 60));
    index.add(std::span(items.ids).subspan(2460), items.points.view().slice(2460, 40));
    index.remove(kFirst + 7);
    const TempFile file;
    index.save(file.path());
    WindowIndex opened = WindowIndex::open(file.path());
    EXPECT_EQ(opened.size(), 2499u);
    EXPECT_EQ(opened.n_buffered(), 100u);
    EXPECT_EQ(opened.options().beta, 3u);
    for (size_t q = 0; q < 10; ++q) {
      for (const WindowStrategy strategy : kAll) {
        EXPECT_EQ(opened.search(items.points.row(q), {50, 250}, {.k = 10}, strategy),
                  index.search(items.points.row(q), {50, 250}, {.k = 10}, strategy));
      }
      EXPECT_EQ(open_index(file.path())->search(items.points.row(q), {.k = 5}),
                index.search(items.points.row(q), {.k = 5}));
    }
    EXPECT_EQ(bytes_of(opened), read_file(file.path()));
    // A mapped index can be changed.
    EXPECT_TRUE(opened.remove(kFirst + 8));
    opened.add(ids_from(1, 1), std::vector<double>{100}, items.points.view().slice(8, 1));
    EXPECT_EQ(opened.search(items.points.row(8), {100, 100}, {.k = 1})[0].id, 1u);
    opened.rebuild();
    EXPECT_EQ(opened.search(items.points.row(8), {100, 100}, {.k = 1})[0].id, 1u);
    EXPECT_EQ(opened.size(), 2499u);
  }
}

TEST(WindowIndexTest, EmptyIndexesAreSavedToo) {
  const TempFile file;
  WindowIndex(kDim, Metric::kSquaredL2).save(file.path());
  const WindowIndex opened = WindowIndex::open(file.path());
  EXPECT_EQ(opened.size(), 0u);
  EXPECT_THAT(opened.search(std::vector<float>(kDim), {}, {}), IsEmpty());
}

TEST(WindowIndexTest, DamagedFilesAreErrors) {
  const Items items(300, 300);
  const std::string whole = bytes_of(items.index(Metric::kSquaredL2, {.cutoff = 100}));
  const TempFile file;
  for (size_t length = 0; length < whole.size(); length += 97) {
    write_file(file.path(), whole.substr(0, length));
    EXPECT_THROW(WindowIndex::open(file.path()), Error) << length;
  }
  for (size_t at = 0; at < 5000; at += 41) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    write_file(file.path(), damaged);
    try {
      WindowIndex::open(file.path());  // padding may change
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
}

// Right checksums around a content that cannot be.
TEST(WindowIndexTest, InconsistentFilesAreErrors) {
  const Items items(5, 5);
  WindowIndex index = items.index(Metric::kSquaredL2, {});
  index.rebuild();
  const TempFile file, changed;
  index.save(file.path());
  const Container in = Container::open(file.path(), WindowIndex::kFileKind, 1);
  const auto numbers = in.array<uint64_t>("header");
  const auto sorted = in.array<double>("labels");
  const auto opened = [&](std::vector<uint64_t> header, std::vector<double> labels) {
    ContainerWriter out(std::string(WindowIndex::kFileKind), 1);
    out.add<uint64_t>("header", header);
    out.add<double>("labels", labels);
    for (const char* name : {"vectors", "n_trained", "ids", "live"}) {
      out.add(name, in.array<std::byte>(name));
    }
    out.save(changed.path());
    return message([&] { WindowIndex::open(changed.path()); });
  };
  const std::vector<uint64_t> header(numbers.begin(), numbers.end());
  std::vector<double> labels(sorted.begin(), sorted.end());
  EXPECT_EQ(opened(header, labels), "no error");
  std::swap(labels[1], labels[2]);
  EXPECT_THAT(opened(header, labels), HasSubstr("row 2 is not in the order of labels"));
  labels[1] = kNaN;
  EXPECT_THAT(opened(header, labels), HasSubstr("row 1 is not in the order of labels"));
  EXPECT_THAT(opened(header, {1, 2}), HasSubstr("2 labels and 5 rows do not match 5 ids"));
  const auto with = [&](size_t at, uint64_t number) {
    std::vector<uint64_t> other = header;
    other[at] = number;
    return opened(other, {sorted.begin(), sorted.end()});
  };
  EXPECT_THAT(with(0, 0), HasSubstr("the header is not one"));
  EXPECT_THAT(with(1, 3), HasSubstr("the header is not one"));
  EXPECT_THAT(with(2, 1), HasSubstr("beta is 1"));
  EXPECT_THAT(with(3, 1), HasSubstr("is missing"));  // a cutoff that asks for nodes
  EXPECT_THAT(with(5, 6), HasSubstr("do not match"));
}

}  // namespace
}  // namespace carya
