// Rows of text with aligned columns.
//
//   TextTable table;
//   table.AddRow({"cpu time", "10s", "60s"});
//   std::string text = table.ToString();

#ifndef CORDON_CLIENT_TEXT_TABLE_H_
#define CORDON_CLIENT_TEXT_TABLE_H_

#include <string>
#include <vector>

namespace cordon::client {

class TextTable {
 public:
  // The last cell of a row does not widen its column. Cells are one line each;
  // a row may have fewer cells than others.
  void AddRow(std::vector<std::string> cells);

  // Every row indented by two spaces, columns two spaces apart, no trailing
  // spaces.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cordon::client

#endif  // CORDON_CLIENT_TEXT_TABLE_H_
