#include "carya/atlas/build.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "carya/atlas/atlas.h"
#include "carya/atlas/test_data.h"
#include "carya/core/parallel.h"

namespace carya {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::ThrowsMessage;

class BuildTest : public InFolder {
 protected:
  fs::path out() const { return folder_ / "out.atlas"; }
  fs::path part() const { return folder_ / "out.atlas.part"; }
  fs::path texts(size_t n = 300) const { return file("in.csv", themed_csv(n)); }
  fs::path vectors(const Matrix<float>& points) const {
    write_npy(folder_ / "in.npy", points);
    return folder_ / "in.npy";
  }
  // What must be the same for every run: all but run.json.
  static std::map<std::string, std::string> result_of(const fs::path& folder) {
    auto files = contents(folder);
    files.erase("run.json");
    return files;
  }
};

TEST_F(BuildTest, TextsBecomeAnAtlasThatIsFoundWhole) {
  build_atlas(texts(), out(), lsa_options());
  EXPECT_FALSE(fs::exists(part()));
  const Atlas atlas = Atlas::open(out());
  EXPECT_EQ(atlas.n_items(), 300u);
  EXPECT_EQ(atlas.items().size(), 300u);
  EXPECT_EQ(atlas.tree().size(NodeTree::kRoot), 300u);
  EXPECT_GT(atlas.tree().n_nodes(), 3u);
  const AtlasInfo info = atlas.info();
  EXPECT_EQ(info.encoder, "words");
  EXPECT_EQ(info.method, "diffusion");
  EXPECT_EQ(info.stages.size(), 7u);
  EXPECT_GT(atlas.evaluate("theme").ami, 0.9);
  EXPECT_THAT(contents(out()), Not(Contains(Key("state.json"))));
}

TEST_F(BuildTest, VectorsBecomeAnAtlas) {
  build_atlas(vectors(blobs(300, 8, 5)), out(), {});
  const Atlas atlas = Atlas::open(out());
  EXPECT_EQ(atlas.n_items(), 300u);
  EXPECT_EQ(atlas.info().encoder, "none");
  EXPECT_EQ(atlas.info().dim, 8u);
  EXPECT_EQ(atlas.items().id(7), "7");
}

TEST_F(BuildTest, EveryFormatIsRead) {
  fs::create_directories(folder_ / "notes" / "deep");
  file("notes/a.txt", "a chess board");
  file("notes/deep/b.md", "an image viewer");
  std::string lines, jsonl;
  for (int i = 0; i < 5; ++i) {
    lines += "line of words " + std::to_string(i) + "\n";
    jsonl += "{\"text\": \"line " + std::to_string(i) + "\"}\n";
  }
  size_t at = 0;
  for (const fs::path& input : {folder_ / "notes", file("a.txt", lines), file("a.jsonl", jsonl)}) {
    SCOPED_TRACE(input);
    const fs::path output = folder_ / ("atlas" + std::to_string(at++));
    build_atlas(input, output, lsa_options());
    EXPECT_EQ(Atlas::open(output).n_items(), input == folder_ / "notes" ? 2u : 5u);
  }
}

TEST_F(BuildTest, TinyAndDegenerateInputs) {
  const std::map<std::string, std::string> inputs = {{"one", "one item\n"},
                                                     {"two_identical", "the same\nthe same\n"},
                                                     {"all_identical",
                                                      [] {
                                                        std::string text;
                                                        for (int i = 0; i < 120; ++i)
                                                          text += "the same words\n";
                                                        return text;
                                                      }()},
                                                     {"one_with_words", "!!!\n...\nwords\n???\n"}};
  for (const auto& [name, text] : inputs) {
    SCOPED_TRACE(name);
    const fs::path input = file(name + ".txt", text), output = folder_ / (name + ".atlas");
    build_atlas(input, output, lsa_options());
    const Atlas atlas = Atlas::open(output);
    EXPECT_EQ(atlas.n_items(), static_cast<size_t>(std::ranges::count(text, '\n')));
    EXPECT_FALSE(atlas.search("same words item").empty());
    EXPECT_EQ(atlas.neighbors(0, 3).size(), std::min<size_t>(3, atlas.n_items() - 1));
    EXPECT_EQ(atlas.tree().size(NodeTree::kRoot), atlas.n_items());
  }
  for (size_t n : {1, 2, 3, 150}) {
    SCOPED_TRACE(n);
    const fs::path output = folder_ / ("vectors" + std::to_string(n));
    build_atlas(vectors(Matrix<float>(n, 4)), output, {});  // all zeros
    const Atlas atlas = Atlas::open(output);
    EXPECT_EQ(atlas.n_items(), n);
    EXPECT_EQ(atlas.neighbors(0, 5).size(), std::min<size_t>(5, n - 1));
  }
}

TEST_F(BuildTest, HostileTextsAreItemsLikeOthers) {
  std::string csv = "text,n\n";
  csv += "\"" + std::string(10'000'000, 'x') + "\",1\n";
  csv += "\xff\xfe broken \x80 bytes,2\n";
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "ü";  // one word, cut within
  csv += "a" + umlauts + ",3\n" + umlauts + " " + umlauts + ",3\n";
  csv += "\"quotes \"\" and\nlines\",4\n日本語 テキスト,5\n😀 emoji,6\n,7\n";
  build_atlas(file("in.csv", csv), out(), lsa_options());
  EXPECT_EQ(Atlas::open(out()).n_items(), 8u);
}

TEST_F(BuildTest, TwoRunsAndAnyNumberOfThreadsGiveTheSameBytes) {
  const fs::path input = texts();
  std::map<std::string, std::string> reference;
  for (size_t n : {1, 1, 2, 8}) {
    const ThreadLimit limit(n);
    fs::remove_all(out());
    build_atlas(input, out(), lsa_options());
    if (reference.empty()) reference = result_of(out());
    EXPECT_EQ(result_of(out()), reference) << n << " threads";
  }
}

TEST_F(BuildTest, AnInterruptedRunGoesOnAndEndsWithTheSameBytes) {
  const fs::path input = texts();
  build_atlas(input, out(), lsa_options());
  const auto reference = result_of(out());
  StopAt all("");
  fs::remove_all(out());
  build_atlas(input, out(), lsa_options(), &all);
  EXPECT_EQ(result_of(out()), reference);
  const std::set<std::string> stages(all.stages().begin(), all.stages().end());
  for (const std::string& stage : stages) {
    SCOPED_TRACE(stage);
    fs::remove_all(out());
    StopAt stop(stage);
    try {
      build_atlas(input, out(), lsa_options(), &stop);
      continue;  // its last report came when all was done
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
    }
    EXPECT_FALSE(fs::exists(out()));
    ASSERT_TRUE(fs::exists(part() / "state.json"));
    const auto done = nlohmann::json::parse(read_file(part() / "state.json"))["done"];
    // Files of complete stages are not written again.
    std::map<std::string, fs::file_time_type> times;
    for (const auto& entry : fs::directory_iterator(part())) {
      times[entry.path().filename()] = entry.last_write_time();
    }
    file("out.atlas.part/vectors.bin.tmp-abc", "what a killed run was writing");
    AtlasOptions options = lsa_options();
    std::vector<std::string> notices;
    options.notice = [&](const std::string& text) { notices.push_back(text); };
    build_atlas(input, out(), options);
    EXPECT_EQ(result_of(out()), reference);
    EXPECT_EQ(notices.empty(), done.empty());
    const auto expect_kept = [&](const std::string& stage_name, const std::string& name) {
      if (std::ranges::find(done, nlohmann::json(stage_name)) == done.end()) return;
      EXPECT_EQ(fs::last_write_time(out() / name), times[name]) << name;
    };
    expect_kept("read", "items.sqlite");
    expect_kept("learn", "words.lsa");
    expect_kept("encode", "vectors.bin");
    expect_kept("neighbors", "neighbors.bin");
    expect_kept("organise", "tree.bin");
    expect_kept("name", "names.json");
  }
}

TEST_F(BuildTest, OtherOptionsOrAChangedInputStartAnew) {
  const auto interrupt = [&] {
    fs::remove_all(out());
    StopAt stop("naming");
    EXPECT_THROW(build_atlas(texts(), out(), lsa_options(), &stop), Error);
  };
  const auto is_resumed = [&](const AtlasOptions& base) {
    AtlasOptions options = base;
    bool resumed = false;
    options.notice = [&](const std::string& text) { resumed |= text.starts_with("going on"); };
    build_atlas(folder_ / "in.csv", out(), options);
    return resumed;
  };
  interrupt();
  EXPECT_TRUE(is_resumed(lsa_options()));
  interrupt();
  AtlasOptions other = lsa_options();
  other.organise.seed = 1;
  EXPECT_FALSE(is_resumed(other));
  interrupt();
  other = lsa_options();
  other.resume = false;
  EXPECT_FALSE(is_resumed(other));
  interrupt();
  file("in.csv", themed_csv(200));
  EXPECT_FALSE(is_resumed(lsa_options()));
  EXPECT_EQ(Atlas::open(out()).n_items(), 200u);
  // A damaged state is as good as none.
  interrupt();
  file("out.atlas.part/state.json", "{\"fingerprint\": 1, \"done\": 7");
  EXPECT_FALSE(is_resumed(lsa_options()));
}

TEST_F(BuildTest, AFolderThatIsNotOursIsNotEmptied) {
  fs::create_directories(part());
  file("out.atlas.part/diary.txt", "mine");
  EXPECT_THAT([&] { build_atlas(texts(), out(), lsa_options()); },
              ThrowsMessage<Error>(HasSubstr("no unfinished atlas")));
  EXPECT_EQ(read_file(part() / "diary.txt"), "mine");
}

TEST_F(BuildTest, AnOutputThatExistsIsReplacedOnlyOnDemand) {
  const fs::path input = texts(40);
  build_atlas(input, out(), lsa_options());
  EXPECT_THAT([&] { build_atlas(input, out(), lsa_options()); },
              ThrowsMessage<Error>(AllOf(HasSubstr("out.atlas"), HasSubstr("--force"))));
  file("in.csv", themed_csv(50));
  AtlasOptions options = lsa_options();
  options.overwrite = true;
  build_atlas(input, out() / "", options);  // with a slash at the end
  EXPECT_EQ(Atlas::open(out()).n_items(), 50u);
  EXPECT_EQ(Atlas::open(out() / "").n_items(), 50u);
  fs::create_directories(folder_ / "mine");
  EXPECT_THAT([&] { build_atlas(input, folder_ / "mine", options); },
              ThrowsMessage<Error>(HasSubstr("is no atlas, so --force does not replace it")));
}

TEST_F(BuildTest, OutputsThatCannotBeAreErrors) {
  const fs::path input = texts(10);
  EXPECT_THAT([&] { build_atlas(input, folder_ / "no" / "such" / "out", lsa_options()); },
              ThrowsMessage<Error>(HasSubstr("cannot make the folder")));
  EXPECT_THAT([&] { build_atlas(input, input / "out", lsa_options()); },
              ThrowsMessage<Error>(HasSubstr("in.csv/out")));
  EXPECT_THROW(build_atlas(input, "", lsa_options()), Error);
}

TEST_F(BuildTest, AFullDiskLeavesNoAtlasAndTheNextRunGoesOn) {
  const fs::path input = texts(400);
  build_atlas(input, out(), lsa_options());
  const auto reference = result_of(out());
  for (size_t kilobytes : {1, 16, 60, 100}) {
    SCOPED_TRACE(kilobytes);
    fs::remove_all(out());
    {
      const FullDisk full(kilobytes << 10);
      try {
        build_atlas(input, out(), lsa_options());
        ADD_FAILURE() << "the limit is too large for this test";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kIo) << error.what();
        EXPECT_THAT(error.what(), HasSubstr("out.atlas.part"));
      }
    }
    EXPECT_FALSE(fs::exists(out()));
    build_atlas(input, out(), lsa_options());
    EXPECT_EQ(result_of(out()), reference);
  }
}

TEST_F(BuildTest, BadInputIsRefusedByItsMessage) {
  const auto expect_error = [&](const fs::path& input, const std::string& part,
                                const AtlasOptions& options = lsa_options()) {
    EXPECT_THAT([&] { build_atlas(input, out(), options); }, ThrowsMessage<Error>(HasSubstr(part)));
    EXPECT_FALSE(fs::exists(out()));
  };
  expect_error(folder_ / "absent.csv", "absent.csv: there is no such file");
  expect_error(file("empty.txt", ""), "empty.txt: has no items");
  expect_error(file("empty.csv", ""), "empty.csv: is empty");
  expect_error(file("head.csv", "id,text\n"), "head.csv: has no items");
  expect_error(file("ragged.csv", "id,text\n1,a\n2,b,c\n"), "ragged.csv:3: has 3 fields");
  expect_error(file("a.doc", "x"), "cannot be told from its name");
  expect_error(file("marks.txt", "!!!\n???\n"), "word");
  AtlasOptions options = lsa_options();
  options.read.text_columns = {"body"};
  expect_error(file("a.csv", "id,text\n1,a\n"), "no column 'body'; there are: id, text", options);
  Matrix<float> points = blobs(10, 3, 2);
  points(4, 1) = std::numeric_limits<float>::quiet_NaN();
  expect_error(vectors(points), "4", {});
  points(4, 1) = std::numeric_limits<float>::infinity();
  expect_error(vectors(points), "4", {});
  expect_error(vectors(blobs(10, 3, 2)), "--encoder lsa", lsa_options());
  options = {};
  options.read.text_columns = {"body"};
  expect_error(vectors(blobs(10, 3, 2)), "this holds vectors", options);
  options = {};
  options.encoder.encoder = "none";
  expect_error(file("a.csv", "id,text\n1,a\n"), "--encoder none is for vectors", options);
}

TEST_F(BuildTest, MemoryBeyondTheBoundIsRefusedBeforeTheWork) {
  for (const bool has_texts : {true, false}) {
    AtlasOptions options = has_texts ? lsa_options() : AtlasOptions{};
    options.max_memory = 1 << 20;
    const fs::path input = has_texts ? texts(50) : vectors(blobs(50, 3, 2));
    // Twice, as a run that goes on has to see it too.
    for (int run = 0; run < 2; ++run) {
      EXPECT_THAT([&] { build_atlas(input, out(), options); },
                  ThrowsMessage<Error>(HasSubstr("--memory is 0.00 GB")));
    }
    options.max_memory = size_t{1} << 30;
    EXPECT_NO_THROW(build_atlas(input, out(), options));
    fs::remove_all(out());
  }
}

TEST_F(BuildTest, TwoBuildsOfOneOutputDoNotMix) {
  // The second begins while the first reads.
  class Second final : public Progress {
   public:
    Second(fs::path input, fs::path output) : input_(input), output_(output) {}
    void begin(std::string_view stage, size_t, std::string_view) override {
      if (stage != "reading") return;
      EXPECT_THAT([&] { build_atlas(input_, output_, lsa_options()); },
                  ThrowsMessage<Error>(HasSubstr("another carya is at work")));
    }
    void advance(size_t) override {}

   private:
    fs::path input_, output_;
  } second(texts(30), out());
  build_atlas(folder_ / "in.csv", out(), lsa_options(), &second);
  EXPECT_EQ(Atlas::open(out()).n_items(), 30u);
}

}  // namespace
}  // namespace carya
