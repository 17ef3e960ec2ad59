#include "carya/atlas/representation.h"

#include <cmath>

#include "carya/atlas/test_data.h"
#include "carya/text/words.h"

namespace carya {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class RepresentationTest : public InFolder {
 protected:
  static std::vector<std::string> texts() {
    return {"a chess board", "playing chess",   "image viewer",
            "view an image", "music and songs", "play music"};
  }
  static Matrix<float> encode(const Representation& representation,
                              const std::vector<std::string>& texts) {
    Matrix<float> vectors(texts.size(), representation.dim());
    representation.encode(texts, vectors);
    return vectors;
  }
  static Representation fit(const EncoderOptions& options) {
    const std::vector<std::string> all = texts();
    return Representation::fit(text_source(all), options);
  }
};

double cosine(const Matrix<float>& vectors, size_t i, size_t j) {
  double sum = 0;
  for (size_t d = 0; d < vectors.cols(); ++d) sum += vectors(i, d) * vectors(j, d);
  return sum;
}

TEST_F(RepresentationTest, LsaSeesSharedWords) {
  const Representation representation = fit({.encoder = "lsa"});
  EXPECT_EQ(representation.description(), "words");
  EXPECT_EQ(representation.notice(), "");
  const Matrix<float> vectors = encode(representation, texts());
  for (size_t i = 0; i < vectors.rows(); ++i) EXPECT_NEAR(cosine(vectors, i, i), 1, 1e-5);
  EXPECT_GT(cosine(vectors, 0, 1), cosine(vectors, 0, 2) + 0.3);
  const Matrix<float> unknown = encode(representation, {"", "zzz"});
  for (float x : unknown.flat()) EXPECT_EQ(x, 0);
}

TEST_F(RepresentationTest, SavedAndOpenedItIsTheSame) {
  const Representation representation = fit({.encoder = "lsa"});
  representation.save(folder_);
  const Representation again = Representation::open(folder_);
  EXPECT_EQ(again.description(), representation.description());
  EXPECT_TRUE(
      std::ranges::equal(encode(again, texts()).flat(), encode(representation, texts()).flat()));
}

TEST_F(RepresentationTest, WithoutAModelWordsAreComparedAndItSaysSo) {
  const Representation representation = fit({.encoder = "auto", .cache = folder_});
  EXPECT_EQ(representation.description(), "words");
  EXPECT_THAT(representation.notice(),
              AllOf(HasSubstr("no sentence encoder in"), HasSubstr(folder_.string()),
                    HasSubstr("scripts/get-data")));
  for (const char* encoder : {"minilm", "static"}) {
    EXPECT_THAT([&] { fit({.encoder = encoder, .cache = folder_}); },
                ThrowsMessage<Error>(AllOf(HasSubstr(encoder), HasSubstr("scripts/get-data"))));
  }
  EXPECT_THAT(
      [&] { fit({.encoder = "no/such/model"}); },
      ThrowsMessage<Error>(AllOf(HasSubstr("no/such/model"), HasSubstr("sentence-transformers"))));
}

TEST_F(RepresentationTest, TextsWithoutWordsAreRefused) {
  const std::vector<std::string> none = {"!!!", "", "..."};
  EXPECT_THAT([&] { Representation::fit(text_source(none), {.encoder = "lsa"}); },
              ThrowsMessage<Error>(HasSubstr("word")));
}

TEST_F(RepresentationTest, DamagedFilesAreErrors) {
  EXPECT_THROW(Representation::open(folder_), Error);
  fit({.encoder = "lsa"}).save(folder_);
  const fs::path path = folder_ / "representation.json";
  const std::string whole = read_file(path);
  for (size_t size = 0; size + 2 < whole.size(); ++size) {
    write_file(path, whole.substr(0, size));
    EXPECT_THROW(Representation::open(folder_), Error) << size;
  }
  for (const char* parts :
       {"7", "[7]", "[{}]", "[{\"kind\": \"magic\", \"name\": \"a\", \"weight\": 1}]",
        "[{\"kind\": \"words\", \"name\": \"a\", \"weight\": \"x\"}]",
        "[{\"kind\": \"sentence\", \"name\": \"a\", \"weight\": 1}]"}) {
    write_file(path, std::string("{\"parts\": ") + parts + "}");
    EXPECT_THROW(Representation::open(folder_), Error) << parts;
  }
  write_file(path, whole);
  write_file(folder_ / "words.lsa", "x");
  EXPECT_THAT([&] { Representation::open(folder_); }, ThrowsMessage<Error>(HasSubstr("words.lsa")));
}

TEST_F(RepresentationTest, AModelThatIsGoneIsNamed) {
  for (const char* kind : {"sentence", "pieces"}) {
    write_file(folder_ / "representation.json",
               std::string("{\"parts\": [{\"kind\": \"") + kind +
                   "\", \"name\": \"m\", \"weight\": 1, \"model\": \"/gone/model\", "
                   "\"precision\": \"f32\", \"checksum\": \"0\"}]}");
    try {
      Representation::open(folder_);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("/gone/model"), HasSubstr("--mode lexical")));
    }
  }
}

TEST_F(RepresentationTest, TheSentenceEncoderSeesMeaning) {
  const fs::path model = default_cache() / "models" / "all-MiniLM-L6-v2";
  if (!fs::exists(model)) GTEST_SKIP() << model << " is not there: scripts/get-data fetches it";
  const Representation representation = fit({.encoder = model.string() + "/"});
  EXPECT_THAT(representation.description(), HasSubstr("all-MiniLM-L6-v2 ("));
  const Matrix<float> vectors =
      encode(representation, {"a dog barks", "the puppy makes noise", "tax law"});
  EXPECT_GT(cosine(vectors, 0, 1), cosine(vectors, 0, 2) + 0.2);
  representation.save(folder_);
  EXPECT_TRUE(std::ranges::equal(encode(Representation::open(folder_), texts()).flat(),
                                 encode(representation, texts()).flat()));
}

}  // namespace
}  // namespace carya
