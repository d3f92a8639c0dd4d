#pragma once
// cli/format/table: lists of objects as Docker prints them: a table, JSON lines, or a template per object.

#include <boost/json/fwd.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/format/template.h"

namespace sampan::cli {

/// One column that templates can name: {"ID", "CONTAINER ID"}.
struct Column {
  std::string_view field;
  std::string_view header;
};

/// How one kind of list is printed.
struct TableShape {
  std::span<const Column> columns;
  std::string_view table;  // the default table's template, e.g. "{{.ID}}\t{{.Image}}"
  std::string_view quiet = "{{.ID}}";
};

/// Methods of one row that need the original object, e.g. .Label "x".
using RowMethod = std::function<std::optional<boost::json::value>(const boost::json::value& row, std::string_view name,
                                                                  const std::vector<boost::json::value>& arguments)>;

/// Formats rows (objects of texts, one member per column).
class TablePrinter {
 public:
  /// `format`: "", "table", "table TEMPLATE", "json" or a template. Errors: InvalidArgument (a broken template).
  static Result<TablePrinter> make(const TableShape& shape, std::string format, bool quiet);
  void set_method(RowMethod method) { method_ = std::move(method); }
  /// Errors: InvalidArgument (the template names an unknown column).
  Result<std::string> format(const std::vector<boost::json::value>& rows) const;
  bool mentions(std::string_view field) const;
  bool is_table() const { return table_; }

 private:
  const TableShape* shape_ = nullptr;
  bool table_ = false;
  bool json_ = false;
  bool whole_row_ = false;  // every column is asked for
  std::optional<Template> template_;
  RowMethod method_;
};

/// Lines of cells separated by tabs, aligned: a column is as wide as its widest cell plus 3, at least `least`.
std::string align_columns(std::string_view lines, size_t least = 10);

}  // namespace sampan::cli
