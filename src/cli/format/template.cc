// Running a parsed template.
#include "cli/format/template.h"

#include "base/strings.h"
#include "cli/format/template_node.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

Error run_error(std::string text) {
  return Error(Code::InvalidArgument, "template: :1: executing \"\" " + std::move(text));
}

class Runner {
 public:
  Runner(const json::value& root, MissingKey missing, const TemplateMethod& method)
      : missing_(missing), method_(method) {
    variables_.emplace_back("$", root);
  }

  Result<void> list(const std::vector<TemplateNode>& nodes, const json::value& dot) {
    size_t scope = variables_.size();
    for (const TemplateNode& node : nodes) {
      TRY(run(node, dot));
      if (leaving_ != Leaving::No) break;
    }
    variables_.erase(variables_.begin() + static_cast<ptrdiff_t>(scope), variables_.end());
    return {};
  }

  std::string out;

 private:
  enum class Leaving { No, Break, Continue };

  Result<void> run(const TemplateNode& node, const json::value& dot) {
    using enum TemplateNode::Kind;
    switch (node.kind) {
      case Text:
        out += node.text;
        return {};
      case List:
        return list(node.body, dot);
      case Break:
        leaving_ = Leaving::Break;
        return {};
      case Continue:
        leaving_ = Leaving::Continue;
        return {};
      case Action: {
        json::value value = TRY(evaluate(node.pipe, dot));
        if (!node.variables.empty()) return assign(node, value);
        out += go_text(value);
        return {};
      }
      case If:
      case With:
        return branch(node, dot);
      case Range:
        return range(node, dot);
    }
    return {};
  }

  Result<void> assign(const TemplateNode& node, const json::value& value) {
    if (node.declares) {
      variables_.emplace_back(node.variables[0], value);
      return {};
    }
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == node.variables[0]) {
        it->second = value;
        return {};
      }
    }
    return run_error("undefined variable \"" + node.variables[0] + "\"");
  }

  Result<void> branch(const TemplateNode& node, const json::value& dot) {
    json::value value = TRY(evaluate(node.pipe, dot));
    size_t scope = variables_.size();
    if (!node.variables.empty()) TRY(assign(node, value));
    bool yes = is_true(value);
    auto result = list(yes ? node.body : node.otherwise, yes && node.kind == TemplateNode::Kind::With ? value : dot);
    variables_.erase(variables_.begin() + static_cast<ptrdiff_t>(scope), variables_.end());
    return result;
  }

  Result<void> range(const TemplateNode& node, const json::value& dot) {
    json::value value = TRY(evaluate(node.pipe, dot));
    std::vector<std::pair<json::value, json::value>> items;
    if (const auto* array = value.if_array()) {
      for (const auto& item : *array) items.emplace_back(static_cast<int64_t>(items.size()), item);
    } else if (const auto* object = value.if_object()) {
      for (const auto& item : *object) items.emplace_back(json::string(item.key()), item.value());
      std::ranges::sort(items, {}, [](const auto& item) { return std::string_view(item.first.get_string()); });
    } else if (value.is_int64()) {
      for (int64_t i = 0; i < std::min<int64_t>(value.get_int64(), 1 << 20); ++i) items.emplace_back(i, i);
    } else if (!value.is_null()) {
      return run_error("range can't iterate over " + go_text(value));
    }
    if (items.empty()) return list(node.otherwise, dot);
    for (const auto& [key, item] : items) {
      size_t scope = variables_.size();
      if (node.variables.size() == 2) variables_.emplace_back(node.variables[0], key);
      if (!node.variables.empty()) variables_.emplace_back(node.variables.back(), item);
      TRY(list(node.body, item));
      variables_.erase(variables_.begin() + static_cast<ptrdiff_t>(scope), variables_.end());
      bool stop = leaving_ == Leaving::Break;
      leaving_ = Leaving::No;
      if (stop) break;
    }
    return {};
  }

  Result<json::value> evaluate(const TemplateTerm& term, const json::value& dot) {
    if (term.kind != TemplateTerm::Kind::Pipe) return command(term, dot, nullptr);
    std::optional<json::value> last;
    for (const TemplateTerm& step : term.pipe) last = TRY(command(step, dot, last ? &*last : nullptr));
    return fields(std::move(*last), term, {});
  }

  Result<json::value> command(const TemplateTerm& term, const json::value& dot, const json::value* last) {
    std::vector<json::value> arguments;
    bool lazy = term.name == "and" || term.name == "or";
    for (const TemplateTerm& argument : term.arguments) {
      arguments.push_back(TRY(evaluate(argument, dot)));
      // and/or stop at the value that decides: {{if and .A .A.B}} must not fail on a missing .A.
      if (lazy && is_true(arguments.back()) == (term.name == "or")) return arguments.back();
    }
    if (last) arguments.push_back(*last);
    switch (term.kind) {
      case TemplateTerm::Kind::Dot:
        return fields(dot, term, arguments);
      case TemplateTerm::Kind::Literal:
        return fields(term.literal, term, arguments);
      case TemplateTerm::Kind::Pipe:
        return evaluate(term, dot);
      case TemplateTerm::Kind::Function: {
        auto value = call_function(term.name, arguments);
        if (!value) return run_error(fmt::format("at <{}>: {}", term.name, value.error().message()));
        return fields(std::move(*value), term, {});
      }
      case TemplateTerm::Kind::Variable:
        break;
    }
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == term.name) return fields(it->second, term, arguments);
    }
    return run_error("undefined variable \"" + term.name + "\"");
  }

  Result<json::value> fields(json::value value, const TemplateTerm& term, const std::vector<json::value>& arguments) {
    std::string path;
    for (size_t i = 0; i < term.fields.size(); ++i) {
      const std::string& name = term.fields[i];
      path += "." + name;
      const auto* object = value.if_object();
      const json::value* member = object ? object->if_contains(name) : nullptr;
      if (!member && method_) {
        if (auto answer = method_(name, arguments)) {
          value = std::move(*answer);
          continue;
        }
      }
      if (member) {
        json::value copy = *member;
        value = std::move(copy);
      } else if (object && missing_ == MissingKey::Error) {
        return run_error(fmt::format("at <{}>: map has no entry for key \"{}\"", path, name));
      } else if (object || value.is_null()) {
        value = nullptr;
      } else {
        return run_error(fmt::format("at <{}>: can't evaluate field {} in type interface {{}}", path, name));
      }
    }
    return value;
  }

  std::vector<std::pair<std::string, json::value>> variables_;
  MissingKey missing_;
  const TemplateMethod& method_;
  Leaving leaving_ = Leaving::No;
};

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  Template out;
  out.text_ = text;
  out.root_ = std::make_shared<const TemplateNode>(TRY(parse_template(text)));
  return out;
}

Result<std::string> Template::run(const json::value& data, MissingKey missing, const TemplateMethod& method) const {
  Runner runner(data, missing, method);
  TRY(runner.list(root_->body, data));
  return std::move(runner.out);
}

}  // namespace sampan::cli
