#include "carya/atlas/item_store.h"

#include <sqlite3.h>

#include <atomic>
#include <set>
#include <thread>

#include "carya/atlas/test_data.h"

namespace carya {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

class ItemStoreTest : public InFolder {
 protected:
  ItemStore create(const std::string& name, std::string_view text,
                   const ReadOptions& options = {}) {
    fs::remove(path());
    const auto records = open_records(file(name, text), options);
    return ItemStore::create(path(), *records);
  }
  fs::path path() const { return folder_ / "items.sqlite"; }
  static std::vector<std::string> types(const ItemStore& items) {
    std::vector<std::string> all;
    for (const MetadataColumn& c : items.columns()) {
      all.push_back(c.name + ":" + std::string(column_type_name(c.type)));
    }
    return all;
  }
  static std::vector<uint32_t> found(const ItemStore& items, std::string_view query,
                                     size_t k = 10) {
    std::vector<uint32_t> all;
    for (const LexicalHit& hit : items.search(query, k)) all.push_back(hit.item);
    return all;
  }
};

TEST_F(ItemStoreTest, KeepsIdsTextsAndTypedMetadata) {
  create("a.csv",
         "id,text,count,price,code,empty,mixed\n"
         "x,first,1,1.5,007,,1\n"
         "y,\"second, longer\",-2,2,010,,b\n"
         "z,third,,1e3,5,,\n");
  const ItemStore items = ItemStore::open(path());
  ASSERT_EQ(items.size(), 3u);
  EXPECT_THAT(types(items), ElementsAre("count:integer", "price:number", "code:text", "empty:text",
                                        "mixed:text"));
  const Item item = items.item(1);
  EXPECT_EQ(item.id, "y");
  EXPECT_EQ(item.text, "second, longer");
  EXPECT_THAT(item.values,
              ElementsAre(Value(int64_t{-2}), Value(2.0), Value("010"), Value(), Value("b")));
  EXPECT_THAT(items.values("count"), ElementsAre(Value(int64_t{1}), Value(int64_t{-2}), Value()));
  EXPECT_THAT(items.texts(1, 2), ElementsAre("second, longer", "third"));
  EXPECT_EQ(items.find("z"), 2u);
  EXPECT_EQ(items.find("w"), std::nullopt);
  EXPECT_EQ(items.id(0), "x");
  EXPECT_THAT([&] { items.item(3); }, ThrowsMessage<Error>(HasSubstr("no item number 3")));
  EXPECT_THAT([&] { items.values("colour"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("'colour'"), HasSubstr("count, price, code"))));
}

TEST_F(ItemStoreTest, ColumnsMayHaveAnyName) {
  const ItemStore items = create(
      "a.csv",
      "key,body,ID,id,text,item,rowid,Name,name,\"a \"\"b\"\"; DROP TABLE items\",,select,dup,dup\n"
      "1,some words,A,B,T,I,R,N,n,d,e,s,1,2\n",
      {.text_columns = {"body"}, .id_column = "key"});
  EXPECT_EQ(items.columns().size(), 12u);
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"ID", "A"},
                                                        {"id", "B"},
                                                        {"text", "T"},
                                                        {"item", "I"},
                                                        {"rowid", "R"},
                                                        {"Name", "N"},
                                                        {"name", "n"},
                                                        {"a \"b\"; DROP TABLE items", "d"},
                                                        {"column11", "e"},
                                                        {"select", "s"}}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(items.values(name), ElementsAre(Value(value)));
    EXPECT_THAT(items.where("'" + name + "' = " + value), ElementsAre(0u));
    EXPECT_THAT(items.where("'" + name + "' = other"), IsEmpty());
  }
  EXPECT_THAT(items.values("dup"), ElementsAre(Value(int64_t{1})));
  EXPECT_THAT(items.values("dup_2"), ElementsAre(Value(int64_t{2})));
}

TEST_F(ItemStoreTest, ColumnsGrowWithJsonLines) {
  const ItemStore items = create("a.jsonl",
                                 "{\"text\": \"one\", \"a\": 1}\n"
                                 "{\"text\": \"two\", \"b\": true, \"a\": 2.5}\n"
                                 "{\"text\": \"three\", \"c\": [1, {\"d\": null}], \"b\": null}\n");
  EXPECT_THAT(types(items), ElementsAre("a:number", "b:integer", "c:text"));
  EXPECT_THAT(items.values("a"), ElementsAre(Value(1.0), Value(2.5), Value()));
  EXPECT_THAT(items.values("b"), ElementsAre(Value(), Value(int64_t{1}), Value()));
  EXPECT_THAT(items.values("c"), ElementsAre(Value(), Value(), Value("[1,{\"d\":null}]")));
  EXPECT_EQ(items.id(2), "3");
}

TEST_F(ItemStoreTest, TooManyColumnsAreRefused) {
  std::string header = "text", row = "x";
  for (int i = 0; i < 1200; ++i) {
    header += ",c" + std::to_string(i);
    row += ",1";
  }
  EXPECT_THAT([&] { create("a.csv", header + "\n" + row + "\n"); },
              ThrowsMessage<Error>(HasSubstr("more than 1000 columns")));
}

TEST_F(ItemStoreTest, AnIdThatOccursTwiceIsNamedWithBothPlaces) {
  EXPECT_THAT([&] { create("a.csv", "id,text\nx,one\ny,two\nx,three\n"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("a.csv:4: the id 'x'"), HasSubstr("a.csv:2"))));
}

TEST_F(ItemStoreTest, ConditionsMeetWhatTheySay) {
  const ItemStore items =
      create("a.csv", "text,size,section\na,1,games\nb,20,Libs\nc,300,games\nd,,\n");
  const auto where = [&](std::string_view c) { return items.where(c); };
  EXPECT_THAT(where("size > 1"), ElementsAre(1u, 2u));
  EXPECT_THAT(where("size > 1.5 and section = games"), ElementsAre(2u));
  EXPECT_THAT(where("section ~ LIB or size = 1"), ElementsAre(0u, 1u));
  EXPECT_THAT(where("section is null"), ElementsAre(3u));
  EXPECT_THAT(where("not section = games"), ElementsAre(1u));  // nothing is known of d
  EXPECT_THAT(where("section in (games, Libs) and size <= 20"), ElementsAre(0u, 1u));
  EXPECT_THAT(where("size = 99"), IsEmpty());
}

TEST_F(ItemStoreTest, FindsWordsByTheirStemsBestFirst) {
  const ItemStore items = create("a.txt",
                                 "a chess game\nchess chess chess\nthe weather today\n"
                                 "playing games of chess in the cold of winter weather\nÜbermut\n");
  EXPECT_EQ(found(items, "chess")[0], 1u);
  EXPECT_EQ(found(items, "gaming weathered")[0], 3u);  // the only one with both
  EXPECT_THAT(found(items, "gaming weathered"), UnorderedElementsAre(0u, 2u, 3u));
  EXPECT_THAT(found(items, "ubermut"), ElementsAre(4u));
  EXPECT_EQ(found(items, "chess", 2).size(), 2u);
  const auto odd = items.search("chess", 10, [](uint32_t item) { return item % 2 == 1; });
  EXPECT_EQ(odd.size(), 2u);
}

TEST_F(ItemStoreTest, SnippetsMarkTheWordsOfTheQuery) {
  std::string filler;
  for (int i = 0; i < 100; ++i) filler += "filler ";
  const ItemStore items = create(
      "a.txt", "He plays Chess, playing well\n" + filler + "chess " + filler + "\nno such word\n");
  EXPECT_THAT(items.snippet("play chess", 0),
              ElementsAre(TextPiece{"He ", false}, TextPiece{"plays", true}, TextPiece{" ", false},
                          TextPiece{"Chess", true}, TextPiece{", ", false},
                          TextPiece{"playing", true}, TextPiece{" well", false}));
  const auto middle = items.snippet("chess", 1, 10);
  ASSERT_EQ(middle.size(), 3u);
  EXPECT_THAT(middle[0].text, StartsWith("…"));
  EXPECT_EQ(middle[1], (TextPiece{"chess", true}));
  EXPECT_THAT(items.snippet("chess", 2), ElementsAre(TextPiece{"no such word", false}));
  EXPECT_THAT(items.snippet("chess", 2, 2), ElementsAre(TextPiece{"no such…", false}));
  EXPECT_THAT(items.snippet("***", 2, 3), ElementsAre(TextPiece{"no such word", false}));
  EXPECT_THAT(items.snippet("chess", 99), IsEmpty());
  EXPECT_THROW(items.snippet("chess", 0, 65), Error);
}

TEST_F(ItemStoreTest, ManyThreadsReadAtOnce) {
  std::string csv = "text,n\n";
  for (int i = 0; i < 200; ++i) csv += fmt::format("word{} common,{}\n", i, i);
  const ItemStore items = create("a.csv", csv);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 200; i += 8) {
        const auto item = static_cast<uint32_t>(i);
        wrong += items.item(item).text != fmt::format("word{} common", i);
        wrong += found(items, fmt::format("word{}", i)) != std::vector<uint32_t>{item};
        wrong += items.where(fmt::format("n < {}", i)).size() != item;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ItemStoreTest, AnyQueryIsValid) {
  const ItemStore items = create("a.txt", "near or and not words\nplain text\n");
  for (const std::string& query : std::vector<std::string>{
           std::string("\" OR * NEAR("), std::string("text:plain AND"), std::string("*"),
           std::string("^plain"), std::string("\"\"\""), std::string("a\0plain", 7),
           std::string("\xff\xfe plain"), std::string("NEAR(a b, 2)"), std::string("-plain"),
           std::string("{words}: plain"), std::string("—"),
           std::string("'; DROP TABLE words; --")}) {
    EXPECT_NO_THROW(items.search(query, 10)) << query;
    EXPECT_NO_THROW(items.snippet(query, 0)) << query;
  }
  EXPECT_THAT(found(items, "text:plain AND"), ElementsAre(1u, 0u));
  EXPECT_THAT(found(items, "*"), IsEmpty());
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "plain ";
  EXPECT_THAT(found(items, many), ElementsAre(1u));
}

TEST_F(ItemStoreTest, NullBytesAndAnyUnicodeSurvive) {
  create("a.jsonl",
         "{\"id\": \"a\\u0000b\", \"text\": \"one\\u0000two\", \"m\": \"x\\u0000y\"}\n"
         "{\"id\": \"😀\", \"text\": \"\", \"m\": \"日本\"}\n");
  const ItemStore items = ItemStore::open(path());
  EXPECT_EQ(items.item(0).id, std::string("a\0b", 3));
  EXPECT_EQ(items.item(0).text, std::string("one\0two", 7));
  EXPECT_THAT(items.values("m"), ElementsAre(Value(std::string("x\0y", 3)), Value("日本")));
  EXPECT_EQ(items.find(std::string("a\0b", 3)), 0u);
  EXPECT_EQ(items.find("😀"), 1u);
}

TEST_F(ItemStoreTest, AppendedItemsAreFoundAndTypesWiden) {
  create("a.csv", "id,text,size\nx,first,1\n");
  {
    ItemStore items = ItemStore::open_for_adding(path());
    const auto more = open_records(file("b.csv", "id,text,size,new\ny,second,2.5,n\n"));
    EXPECT_EQ(items.append(*more), 1u);
    EXPECT_EQ(items.size(), 2u);
  }
  {
    ItemStore items = ItemStore::open_for_adding(path());
    const auto again = open_records(file("c.csv", "id,text\nx,other\n"));
    EXPECT_THAT([&] { items.append(*again); },
                ThrowsMessage<Error>(AllOf(HasSubstr("c.csv:2"), HasSubstr("in the atlas"))));
  }
}

TEST_F(ItemStoreTest, AppendWidensTypes) {
  create("a.csv", "id,text,size\nx,first,1\n");
  {
    ItemStore items = ItemStore::open_for_adding(path());
    const auto more = open_records(file("b.csv", "id,text,new,size\ny,second word,n,2.5\n"));
    items.append(*more);
  }
  const ItemStore items = ItemStore::open(path());
  EXPECT_THAT(types(items), ElementsAre("size:number", "new:text"));
  EXPECT_THAT(items.values("size"), ElementsAre(Value(1.0), Value(2.5)));
  EXPECT_THAT(items.values("new"), ElementsAre(Value(), Value("n")));
  EXPECT_THAT(found(items, "words"), ElementsAre(1u));
}

TEST_F(ItemStoreTest, ItemsWithoutTextsAreNumbered) {
  ItemStore::create_empty_texts(path(), 3);
  ItemStore items = ItemStore::open_for_adding(path());
  items.append_empty_texts(2);
  EXPECT_EQ(items.size(), 5u);
  EXPECT_EQ(items.id(4), "4");
  EXPECT_THAT(found(items, "4"), IsEmpty());
}

TEST_F(ItemStoreTest, DamagedFilesAreErrors) {
  EXPECT_THAT([&] { ItemStore::open(path()); }, ThrowsMessage<Error>(HasSubstr("no such file")));
  file("items.sqlite", "this is no database, but long enough to have a header ...............");
  EXPECT_THAT([&] { ItemStore::open(path()); }, ThrowsMessage<Error>(HasSubstr("items.sqlite")));
  file("items.sqlite", "");
  EXPECT_THAT([&] { ItemStore::open(path()); }, ThrowsMessage<Error>(HasSubstr("no such table")));
  create("a.csv", themed_csv(200));
  const std::string whole = read_file(path());
  for (size_t size = 0; size < whole.size(); size += 1500) {
    file("items.sqlite", whole.substr(0, size));
    try {
      const ItemStore items = ItemStore::open(path());
      items.search("chess", 10);
      for (uint32_t i = 0; i < items.size(); ++i) items.item(i);
    } catch (const Error&) {
    }
  }
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 20; ++i)
      damaged[rng.below(whole.size())] = static_cast<char>(rng.below(256));
    file("items.sqlite", damaged);
    try {
      const ItemStore items = ItemStore::open(path());
      items.search("chess board", 10);
      items.where("size > 3");
      for (uint32_t i = 0; i < std::min<size_t>(items.size(), 300); ++i) items.item(i);
    } catch (const Error&) {
    }
  }
}

TEST_F(ItemStoreTest, AFullDiskIsAnError) {
  const auto records = open_records(file("a.csv", themed_csv(2000)));
  const FullDisk full(64 << 10);
  try {
    ItemStore::create(path(), *records);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_THAT(error.what(), HasSubstr("items.sqlite: cannot"));
  }
}

TEST_F(ItemStoreTest, StopsWhenAsked) {
  const auto records = open_records(file("a.csv", themed_csv(2000)));
  StopAt progress("reading");
  try {
    ItemStore::create(path(), *records, &progress);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
}

}  // namespace
}  // namespace carya
