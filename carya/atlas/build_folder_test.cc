#include "carya/atlas/build_folder.h"

#include "carya/atlas/atlas_files.h"
#include "carya/atlas/test_data.h"

namespace carya {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::ThrowsMessage;

class BuildFolderTest : public InFolder {
 protected:
  fs::path part() const { return folder_ / "a.atlas.part"; }
  BuildFolder open(int fingerprint, bool resume = true) const {
    return BuildFolder(part(), json(fingerprint), resume);
  }
};

TEST_F(BuildFolderTest, GoesOnWithTheSameFingerprintAlone) {
  {
    BuildFolder build = open(1);
    EXPECT_FALSE(build.is_resumed());
    write_file(part() / "vectors.bin", "numbers");
    write_file(part() / "vectors.bin.tmp-7", "half");
    build.set_done("encode", 1.5);
    build.set_done("encode", 9.0);  // changes nothing
  }
  {
    const BuildFolder build = open(1);
    EXPECT_TRUE(build.is_resumed());
    EXPECT_TRUE(build.is_done("encode"));
    EXPECT_FALSE(build.is_done("index"));
    ASSERT_EQ(build.stages().size(), 1U);
    EXPECT_EQ(build.stages()[0]["seconds"], 1.5);
    EXPECT_TRUE(fs::exists(part() / "vectors.bin"));
    EXPECT_FALSE(fs::exists(part() / "vectors.bin.tmp-7"));
  }
  EXPECT_FALSE(open(2).is_resumed());
  EXPECT_FALSE(fs::exists(part() / "vectors.bin"));
}

TEST_F(BuildFolderTest, WithoutResumeItIsEmptied) {
  open(1).set_done("encode", 1);
  write_file(part() / "vectors.bin", "numbers");
  EXPECT_FALSE(open(1, /*resume=*/false).is_resumed());
  EXPECT_FALSE(fs::exists(part() / "vectors.bin"));
}

TEST_F(BuildFolderTest, StartingOverKeepsOneFile) {
  {
    BuildFolder build = open(1);
    write_file(part() / "items.sqlite", "items");
    write_file(part() / "vectors.bin", "numbers");
    build.set_done("encode", 1);
    build.start_over("items.sqlite");
    EXPECT_FALSE(build.is_done("encode"));
    EXPECT_TRUE(fs::exists(part() / "items.sqlite"));
    EXPECT_FALSE(fs::exists(part() / "vectors.bin"));
    build.set_done("read", 1);
  }
  EXPECT_TRUE(open(1).is_done("read"));  // the fingerprint is there again
}

TEST_F(BuildFolderTest, OneBuildAtATimeAndNoForeignFolder) {
  {
    const BuildFolder build = open(1);
    EXPECT_THROW(open(1), Error);
  }
  fs::remove_all(part());
  fs::create_directory(part());
  write_file(part() / "thesis.txt", "mine");
  EXPECT_THAT([&] { open(1); }, ThrowsMessage<Error>(HasSubstr("no unfinished atlas")));
  EXPECT_TRUE(fs::exists(part() / "thesis.txt"));
}

}  // namespace
}  // namespace carya
