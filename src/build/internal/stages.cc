#include "build/internal/stages.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "build/internal/expand.h"
#include "oci/image.h"

namespace sampan::build {
namespace {

bool valid_stage_name(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string_view::npos;
}

Result<void> read_global_arg(const Instruction& instruction, char escape, StageGraph& graph,
                             const std::map<std::string, std::optional<std::string>>& build_args,
                             const Lookup& lookup) {
  for (const auto& word : split_words(instruction.text, escape)) {
    auto parts = split_once(word, '=');
    std::string name(parts ? parts->first : std::string_view(word));
    auto given = build_args.find(name);
    if (given != build_args.end() && given->second)
      graph.global_args[name] = *given->second;
    else if (parts)
      graph.global_args[name] = TRY(expand_word(parts->second, escape, lookup));
  }
  return {};
}

Result<Stage> read_from(const Instruction& instruction, char escape, const Lookup& lookup) {
  Stage stage;
  stage.from = instruction;
  auto words = TRY(expand_words(instruction.text, escape, lookup));
  if (words.size() == 3 && to_lower(words[1]) == "as") {
    stage.name = to_lower(words[2]);
    if (!valid_stage_name(stage.name)) {
      return fail(Code::InvalidArgument, "dockerfile parse error line {}: invalid name for build stage: \"{}\"",
                  instruction.line, words[2]);
    }
  } else if (words.size() != 1) {
    return fail(Code::InvalidArgument, "dockerfile parse error line {}: FROM requires either one or three arguments",
                instruction.line);
  }
  stage.base = words[0];
  if (stage.base.empty()) {
    return fail(Code::InvalidArgument, "dockerfile parse error line {}: base name ({}) should not be blank",
                instruction.line, instruction.text);
  }
  for (const auto& flag : instruction.flags) {
    if (flag.name != "platform")
      return fail(Code::InvalidArgument, "dockerfile parse error line {}: unknown flag: --{}", instruction.line,
                  flag.name);
    stage.platform = TRY(expand_word(flag.value, escape, lookup));
  }
  return stage;
}

/// Stages named by FROM and COPY --from, and by the onbuild forms of the latter.
void find_needs(StageGraph& graph, size_t index) {
  Stage& stage = graph.stages[index];
  stage.base_stage = find_stage(graph, to_lower(stage.base), index);
  if (stage.base_stage) stage.needs.push_back(*stage.base_stage);
  for (const auto& step : stage.steps) {
    const std::string* from = step.find_flag("from");
    if (!from) continue;
    if (auto needed = find_stage(graph, to_lower(*from), index)) stage.needs.push_back(*needed);
  }
}

Result<size_t> find_target(const StageGraph& graph, const std::string& target) {
  if (target.empty()) return graph.stages.size() - 1;
  if (auto found = find_stage(graph, to_lower(target), graph.stages.size())) return *found;
  return fail(Code::NotFound, "target stage \"{}\" could not be found", target);
}

}  // namespace

std::map<std::string, std::string> platform_args(const std::string& target_platform) {
  std::map<std::string, std::string> out;
  auto add = [&](const std::string& prefix, const oci::Platform& platform) {
    out[prefix + "PLATFORM"] = oci::format_platform(platform);
    out[prefix + "OS"] = platform.os;
    out[prefix + "ARCH"] = platform.architecture;
    out[prefix + "VARIANT"] = platform.variant;
  };
  auto host = oci::host_platform();
  auto target = target_platform.empty() ? Result<oci::Platform>(host) : oci::parse_platform(target_platform);
  add("BUILD", host);
  add("TARGET", target ? *target : host);
  return out;
}

std::optional<size_t> find_stage(const StageGraph& graph, const std::string& name, size_t from) {
  for (size_t i = std::min(from, graph.stages.size()); i-- > 0;) {
    if (!name.empty() && graph.stages[i].name == name) return i;
  }
  auto number = parse_uint(name);
  if (number && *number < from && *number < graph.stages.size()) return static_cast<size_t>(*number);
  return std::nullopt;
}

Result<StageGraph> make_graph(const Dockerfile& file,
                              const std::map<std::string, std::optional<std::string>>& build_args,
                              const std::string& target) {
  StageGraph graph;
  auto platforms = platform_args("");
  Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    if (auto found = graph.global_args.find(name); found != graph.global_args.end()) return found->second;
    if (auto found = platforms.find(name); found != platforms.end()) return found->second;
    return std::nullopt;
  };
  std::set<std::string> names;
  for (const auto& instruction : file.instructions) {
    if (instruction.name == "FROM") {
      auto stage = TRY(read_from(instruction, file.escape, lookup));
      if (!stage.name.empty() && !names.insert(stage.name).second) {
        return fail(Code::InvalidArgument, "duplicate name {}", stage.name);
      }
      graph.stages.push_back(std::move(stage));
    } else if (!graph.stages.empty()) {
      graph.stages.back().steps.push_back(instruction);
    } else if (instruction.name == "ARG") {
      TRY(read_global_arg(instruction, file.escape, graph, build_args, lookup));
    } else {
      return fail(Code::InvalidArgument, "no build stage in current context");
    }
  }
  if (graph.stages.empty()) return fail(Code::InvalidArgument, "no build stage in current context");
  for (size_t i = 0; i < graph.stages.size(); ++i) find_needs(graph, i);
  graph.target = TRY(find_target(graph, target));
  std::set<size_t> needed;
  std::vector<size_t> queue = {graph.target};
  while (!queue.empty()) {
    size_t index = queue.back();
    queue.pop_back();
    if (!needed.insert(index).second) continue;
    queue.insert(queue.end(), graph.stages[index].needs.begin(), graph.stages[index].needs.end());
  }
  graph.order.assign(needed.begin(), needed.end());
  for (size_t index : graph.order) graph.total_steps += 1 + static_cast<int>(graph.stages[index].steps.size());
  return graph;
}

}  // namespace sampan::build
