#include "cli/format/table.h"

#include "base/strings.h"
#include "cli/format/human.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

std::string unescape(std::string text) {
  for (auto [from, to] : {std::pair{"\\t", "\t"}, std::pair{"\\n", "\n"}}) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;) text.replace(at, 2, to);
  }
  return text;
}

// Go's encoder writes <, > and & of rows as escapes; scripts compare such lines as texts.
std::string html_safe(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<' || c == '>' || c == '&')
      out += fmt::format("\\u{:04x}", c);
    else
      out += c;
  }
  return out;
}

}  // namespace

Result<TablePrinter> TablePrinter::make(const TableShape& shape, std::string format, bool quiet) {
  TablePrinter out;
  out.shape_ = &shape;
  if (format.empty() || format == "table") {
    out.table_ = !quiet;
    format = quiet ? shape.quiet : shape.table;
  } else if (format == "json" || format == "{{json .}}") {
    out.json_ = true;
    out.whole_row_ = format != "json";
    return out;
  } else if (format.starts_with("table ") || format.starts_with("table\t")) {
    out.table_ = true;
    format = format.substr(6);
  }
  out.template_ = TRY_CONTEXT(Template::parse(unescape(std::string(trim(format)))), "failed to parse template");
  return out;
}

bool TablePrinter::mentions(std::string_view field) const {
  return whole_row_ || (template_ && (template_->mentions(field) || template_->mentions("json .")));
}

Result<std::string> TablePrinter::format(const std::vector<json::value>& rows) const {
  std::string out;
  if (json_) {
    for (const json::value& row : rows) out += html_safe(codec::format_json(row)) + "\n";
    return out;
  }
  if (table_) {
    json::object headers;
    for (const Column& column : shape_->columns) headers[column.field] = json::string(column.header);
    // .Label "x" heads its column with the label's name.
    TemplateMethod header_method = [](std::string_view,
                                      const std::vector<json::value>& arguments) -> std::optional<json::value> {
      if (arguments.empty()) return std::nullopt;
      return arguments.back();
    };
    out += TRY_CONTEXT(template_->run(headers, MissingKey::Error, header_method), "failed to execute template") + "\n";
  }
  for (const json::value& row : rows) {
    TemplateMethod method;
    if (method_) {
      method = [&](std::string_view name, const std::vector<json::value>& arguments) {
        return method_(row, name, arguments);
      };
    }
    out += TRY_CONTEXT(template_->run(row, MissingKey::Error, method), "failed to execute template") + "\n";
  }
  return table_ ? align_columns(out) : out;
}

std::string align_columns(std::string_view lines, size_t least) {
  std::vector<std::vector<std::string>> table;
  std::vector<size_t> widths;
  for (const std::string& line : split(lines, '\n')) {
    table.push_back(split(line, '\t'));
    const auto& cells = table.back();
    for (size_t i = 0; i + 1 < cells.size(); ++i) {
      if (widths.size() <= i) widths.push_back(least);
      widths[i] = std::max(widths[i], display_width(cells[i]) + 3);
    }
  }
  std::string out;
  for (size_t row = 0; row < table.size(); ++row) {
    if (row > 0) out += '\n';
    const auto& cells = table[row];
    for (size_t i = 0; i < cells.size(); ++i) {
      out += cells[i];
      if (i + 1 < cells.size()) out.append(widths[i] - display_width(cells[i]), ' ');
    }
  }
  return out;
}

}  // namespace sampan::cli
