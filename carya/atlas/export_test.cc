#include "carya/atlas/export.h"

#include <nlohmann/json.hpp>

#include "carya/atlas/build.h"
#include "carya/atlas/picture.h"
#include "carya/atlas/test_data.h"
#include "carya/io/csv.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ExportTest : public InFolder {
 protected:
  // Ids and metadata with all that needs quoting.
  Atlas hostile_atlas() const {
    std::string csv = "id,text,\"odd, \"\"column\"\"\"\n";
    for (int i = 0; i < 60; ++i) {
      const std::string n = std::to_string(i);
      csv += "\"it's (" + n + "), \"\"x\"\":;[]\n\",a chess board " + n + ",\"v,\r\n" + n + "\"\n";
      csv += "ü" + n + ",music song " + n + ",\n";
    }
    build_atlas(file("in.csv", csv), folder_ / "a.atlas", lsa_options());
    return Atlas::open(folder_ / "a.atlas");
  }
  static std::string exported(const Atlas& atlas, ExportFormat format) {
    std::string all;
    export_atlas(atlas, format, [&](std::string_view text) { all += text; });
    return all;
  }
};

TEST_F(ExportTest, JsonHoldsTheTree) {
  const Atlas atlas = hostile_atlas();
  const auto json = nlohmann::json::parse(exported(atlas, ExportFormat::kJson));
  ASSERT_EQ(json["nodes"].size(), atlas.tree().n_nodes());
  ASSERT_EQ(json["items"].size(), atlas.n_items());
  EXPECT_TRUE(json["nodes"][0]["parent"].is_null());
  for (uint32_t node = 0; node < atlas.tree().n_nodes(); ++node) {
    EXPECT_EQ(json["nodes"][node]["size"], atlas.tree().size(node));
    EXPECT_EQ(json["nodes"][node]["name"], atlas.name(node).name);
    if (node > 0) {
      EXPECT_EQ(json["nodes"][node]["parent"], atlas.tree().parent(node));
    }
  }
  for (uint32_t item = 0; item < atlas.n_items(); ++item) {
    EXPECT_EQ(json["items"][item]["id"], atlas.items().id(item));
    EXPECT_EQ(json["items"][item]["node"], atlas.tree().node_of(item));
  }
}

TEST_F(ExportTest, CsvComesBackThroughTheParser) {
  const Atlas atlas = hostile_atlas();
  const std::string csv = exported(atlas, ExportFormat::kCsv);
  CsvParser parser(csv, "export", ',', CsvQuotes::kAcrossLines);
  std::vector<std::string> fields;
  ASSERT_TRUE(parser.next(fields));
  EXPECT_THAT(fields, ElementsAre("id", "node", "path", "strength", "outlier", "odd, \"column\""));
  for (uint32_t item = 0; item < atlas.n_items(); ++item) {
    ASSERT_TRUE(parser.next(fields));
    ASSERT_EQ(fields.size(), 6u);
    const Item expected = atlas.items().item(item);
    EXPECT_EQ(fields[0], expected.id);
    EXPECT_EQ(fields[1], std::to_string(atlas.tree().node_of(item)));
    const auto* text = std::get_if<std::string>(&expected.values[0]);
    EXPECT_EQ(fields[5], text == nullptr ? "" : *text);
  }
  EXPECT_FALSE(parser.next(fields));
}

TEST_F(ExportTest, NewickIsBalancedAndQuoted) {
  const Atlas atlas = hostile_atlas();
  const std::string newick = exported(atlas, ExportFormat::kNewick);
  ASSERT_TRUE(newick.ends_with(";\n"));
  size_t depth = 0, n_labels = 0;
  bool quoted = false;
  std::string label;
  std::vector<std::string> labels;
  for (size_t i = 0; i + 2 < newick.size(); ++i) {
    const char c = newick[i];
    if (quoted) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20);
      if (c != '\'') {
        label += c;
      } else if (newick[i + 1] == '\'') {
        label += newick[++i];
      } else {
        quoted = false;
        labels.push_back(label);
        ++n_labels;
      }
    } else if (c == '\'') {
      quoted = true;
      label.clear();
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      ASSERT_GT(depth, 0u);
      --depth;
    } else {
      EXPECT_EQ(c, ',');
    }
  }
  EXPECT_EQ(depth, 0u);
  EXPECT_FALSE(quoted);
  EXPECT_EQ(n_labels, atlas.n_items() + atlas.tree().n_nodes());
  EXPECT_EQ(labels.back(), "all");
  EXPECT_THAT(labels, ::testing::Contains("it's (3), \"x\":;[] "));
}

size_t count(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST_F(ExportTest, PicturesShowAllAndEscapeNames) {
  const Atlas atlas = hostile_atlas();
  const std::string tree = exported(atlas, ExportFormat::kSvg);
  EXPECT_EQ(count(tree, "<rect"), count(tree, "<title>") + 1);
  const std::string disk = exported(atlas, ExportFormat::kDisk);
  EXPECT_EQ(count(disk, "h0"), atlas.n_items());  // a dot each
  EXPECT_EQ(disk, exported(atlas, ExportFormat::kDisk));
  for (const std::string& svg : {tree, disk}) {
    EXPECT_TRUE(svg.starts_with("<svg"));
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
    EXPECT_EQ(count(svg, "nan"), 0u);
  }
  EXPECT_THAT([&] { draw_disk(atlas, {.focus = 999}); },
              ThrowsMessage<Error>(HasSubstr("there is no node 999")));
}

TEST_F(ExportTest, AMapOfOneItemIsADotInTheMiddle) {
  build_atlas(file("one.csv", "id,text\na,chess\n"), folder_ / "one.atlas", lsa_options());
  const std::string disk = draw_disk(Atlas::open(folder_ / "one.atlas"), {.width = 200});
  EXPECT_THAT(disk, HasSubstr("M100.0 100.0h0"));
}

TEST_F(ExportTest, TheLinkageIsTheHierarchy) {
  const Atlas atlas = hostile_atlas();
  const std::string csv = exported(atlas, ExportFormat::kLinkage);
  CsvParser parser(csv, "export", ',', CsvQuotes::kAcrossLines);
  std::vector<std::string> fields;
  ASSERT_TRUE(parser.next(fields));
  EXPECT_THAT(fields, ElementsAre("left", "right", "height", "size"));
  std::vector<Merge> merges;
  while (parser.next(fields)) {
    merges.push_back({static_cast<uint32_t>(std::stoul(fields[0])),
                      static_cast<uint32_t>(std::stoul(fields[1])),
                      static_cast<uint32_t>(std::stoul(fields[3])), std::stod(fields[2])});
  }
  EXPECT_TRUE(std::ranges::equal(merges, atlas.hierarchy().merges()));  // exactly, heights too
  EXPECT_NO_THROW(Hierarchy(atlas.n_items(), merges));
}

TEST_F(ExportTest, OneItemIsATreeToo) {
  build_atlas(file("one.txt", "a single text\n"), folder_ / "one.atlas", lsa_options());
  const Atlas atlas = Atlas::open(folder_ / "one.atlas");
  EXPECT_EQ(exported(atlas, ExportFormat::kNewick), "('1')'all';\n");
  EXPECT_EQ(exported(atlas, ExportFormat::kLinkage), "left,right,height,size\n");
}

TEST_F(ExportTest, FormatsAreNamed) {
  EXPECT_EQ(export_format_from_name("newick"), ExportFormat::kNewick);
  EXPECT_THAT([] { export_format_from_name("xml"); },
              ThrowsMessage<Error>(HasSubstr("json, csv, newick")));
}

}  // namespace
}  // namespace carya
