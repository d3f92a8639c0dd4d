#include "build/internal/execute.h"

#include <algorithm>
#include <chrono>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::build {
namespace {

codec::Time now() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

std::string short_id(const std::string& id) {
  std::string_view hex = id;
  if (hex.starts_with("sha256:")) hex.remove_prefix(7);
  return std::string(hex.substr(0, 12));
}

/// Proxies may be passed without an ARG and never become part of a key or of history.
bool is_proxy_arg(std::string_view name) {
  std::string upper = to_upper(name);
  return upper == "HTTP_PROXY" || upper == "HTTPS_PROXY" || upper == "FTP_PROXY" || upper == "NO_PROXY" ||
         upper == "ALL_PROXY";
}

}  // namespace

Result<std::string> Executor::run() {
  for (size_t index : graph_.order) TRY(run_stage(index));
  return results_[graph_.target];
}

Result<void> Executor::run_stage(size_t index) {
  const Stage& stage = graph_.stages[index];
  StageState state;
  TRY(begin_stage(stage, state));
  TRY(run_triggers(state, index));
  for (const auto& step : stage.steps) {
    TRY(context_.cancel.check());
    context_.say(fmt::format("Step {}/{} : {}\n", ++context_.step_number, graph_.total_steps, step.original));
    TRY(dispatch(step, state, index));
    if (!state.image_id.empty()) context_.say(fmt::format(" ---> {}\n", short_id(state.image_id)));
  }
  const bool is_target = index == graph_.target;
  if (is_target && !context_.options.labels.empty()) {
    std::string shown = "LABEL";
    for (const auto& [key, value] : context_.options.labels) {
      state.config.labels[key] = value;
      shown += " " + key + "=" + value;
    }
    std::string key = StepCache::key(state.image_id, shown, "");
    if (!TRY(try_cache(key, state))) TRY(commit(state, std::nullopt, "/bin/sh -c #(nop) " + shown, key));
  }
  if (state.image_id.empty()) return fail(Code::InvalidArgument, "No image was generated. Is your Dockerfile empty?");
  results_[index] = state.image_id;
  return {};
}

Result<void> Executor::begin_stage(const Stage& stage, StageState& state) {
  context_.say(fmt::format("Step {}/{} : {}\n", ++context_.step_number, graph_.total_steps, stage.from.original));
  std::string platform = stage.platform.empty() ? context_.options.platform : stage.platform;
  if (stage.base_stage) {
    state.image_id = results_[*stage.base_stage];
  } else if (stage.base == "scratch") {
    context_.say(" ---> \n");
    return {};
  } else {
    auto found = context_.images.get(stage.base);
    if (!found || context_.options.pull) {
      state.image_id = TRY(context_.runner.pull(stage.base, context_.options, context_.progress, context_.cancel));
    } else {
      state.image_id = found->id;
    }
  }
  auto image = TRY(context_.images.get(state.image_id));
  if (!platform.empty()) {
    auto wanted = TRY(oci::parse_platform(platform));
    if (!oci::platform_matches({image.config.os, image.config.architecture, image.config.variant}, wanted)) {
      return fail(Code::NotFound,
                  "image with reference {} was found but does not match the specified platform: wanted {}", stage.base,
                  platform);
    }
  }
  state.config = image.config.config;
  context_.say(fmt::format(" ---> {}\n", short_id(state.image_id)));
  return {};
}

Result<void> Executor::run_triggers(StageState& state, size_t index) {
  auto triggers = std::exchange(state.config.on_build, {});
  if (triggers.empty()) return {};
  context_.say(fmt::format("# Executing {} build trigger{}\n", triggers.size(), triggers.size() == 1 ? "" : "s"));
  for (const auto& text : triggers) {
    auto step = TRY_CONTEXT(parse_instruction(text, 0), "build trigger of the base image");
    TRY(dispatch(step, state, index));
  }
  return {};
}

Result<void> Executor::dispatch(const Instruction& step, StageState& state, size_t index) {
  if (step.name == "RUN") return do_run(step, state);
  if (step.name == "COPY" || step.name == "ADD") return do_copy(step, state, index);
  if (step.name == "WORKDIR") return do_workdir(step, state);
  if (step.name == "ARG") return do_arg(step, state);
  return do_config(step, state);
}

Lookup Executor::lookup(const StageState& state) const {
  return [&state](const std::string& name) -> std::optional<std::string> {
    // ENV always wins over ARG of the same name.
    for (const auto& variable : state.config.env) {
      if (variable.size() > name.size() && variable[name.size()] == '=' && variable.starts_with(name)) {
        return variable.substr(name.size() + 1);
      }
    }
    auto found = state.args.find(name);
    return found == state.args.end() ? std::nullopt : std::optional(found->second);
  };
}

Result<bool> Executor::try_cache(const std::string& key, StageState& state) {
  if (context_.options.no_cache || state.cache_broken) return false;
  auto id = TRY(context_.cache.find(key));
  if (!id) {
    state.cache_broken = true;
    return false;
  }
  auto image = context_.images.get(*id);
  if (!image) {
    TRY(context_.cache.forget(key));
    state.cache_broken = true;
    return false;
  }
  state.image_id = *id;
  context_.say(" ---> Using cache\n");
  return true;
}

Result<void> Executor::commit(StageState& state, std::optional<SnapshotKey> writable, const std::string& created_by,
                              const std::string& key) {
  image::Images::CommitRequest request;
  request.writable = std::move(writable);
  request.parent_id = state.image_id;
  request.config = state.config;
  request.history.created = codec::format_rfc3339(now());
  request.history.created_by = created_by;
  request.history.empty_layer = !request.writable;
  request.consume = request.writable.has_value();
  state.image_id = TRY(context_.images.commit(request));
  return context_.cache.put(key, state.image_id, created_by, now());
}

Result<void> Executor::do_config(const Instruction& step, StageState& state) {
  auto shown = TRY(apply_config(step, context_.escape, lookup(state), state.config));
  std::string key = StepCache::key(state.image_id, shown, "");
  if (TRY(try_cache(key, state))) return {};
  return commit(state, std::nullopt, "/bin/sh -c #(nop)  " + shown, key);
}

Result<void> Executor::do_arg(const Instruction& step, StageState& state) {
  auto platforms = platform_args(context_.options.platform);
  for (const auto& word : split_words(step.text, context_.escape)) {
    auto parts = split_once(word, '=');
    std::string name(parts ? parts->first : std::string_view(word));
    if (name.empty())
      return fail(Code::InvalidArgument, "dockerfile parse error line {}: ARG names can not be blank", step.line);
    std::optional<std::string> value;
    if (parts)
      value = TRY(expand_word(parts->second, context_.escape, lookup(state)));
    else if (auto global = graph_.global_args.find(name); global != graph_.global_args.end())
      value = global->second;
    else if (auto known = platforms.find(name); known != platforms.end())
      value = known->second;
    auto given = context_.options.build_args.find(name);
    if (given != context_.options.build_args.end()) {
      context_.used_args.insert(name);
      if (given->second) value = *given->second;
    }
    if (!value) continue;
    if (std::ranges::find(state.arg_order, name) == state.arg_order.end()) state.arg_order.push_back(name);
    state.args[name] = *value;
  }
  if (state.image_id.empty()) return {};
  std::string key = StepCache::key(state.image_id, "ARG " + step.text, "");
  if (TRY(try_cache(key, state))) return {};
  return commit(state, std::nullopt, "/bin/sh -c #(nop)  ARG " + step.text, key);
}

Result<void> Executor::do_run(const Instruction& step, StageState& state) {
  for (const auto& flag : step.flags) {
    return fail(Code::NotImplemented, "dockerfile line {}: RUN --{} is not implemented by this builder", step.line,
                flag.name);
  }
  RunStep run;
  run.image_id = state.image_id;
  run.config = state.config;
  run.options = &context_.options;
  std::string text = step.text;
  for (const auto& doc : step.heredocs) text += "\n" + doc.content + doc.name;
  if (step.heredocs.size() == 1 && step.text == "<<" + step.heredocs[0].name) text = step.heredocs[0].content;
  if (step.json) {
    run.argv = *step.json;
  } else {
    run.argv = state.config.shell.value_or(std::vector<std::string>{"/bin/sh", "-c"});
    run.argv.push_back(text);
  }
  std::vector<std::string> visible;
  for (const auto& name : state.arg_order) {
    bool hidden =
        std::ranges::any_of(state.config.env, [&](const std::string& v) { return v.starts_with(name + "="); });
    if (!hidden) visible.push_back(name + "=" + state.args[name]);
  }
  std::string created_by = join(run.argv, " ");
  if (!visible.empty()) created_by = fmt::format("|{} {} {}", visible.size(), join(visible, " "), created_by);
  run.config.env.insert(run.config.env.end(), visible.begin(), visible.end());
  for (const auto& [name, value] : context_.options.build_args) {
    if (value && is_proxy_arg(name) && !state.args.contains(name)) {
      context_.used_args.insert(name);
      run.config.env.push_back(name + "=" + *value);
    }
  }
  std::string key = StepCache::key(state.image_id, created_by, "");
  if (TRY(try_cache(key, state))) return {};
  auto id = TRY(context_.runner.create(run));
  context_.say(fmt::format(" ---> Running in {}\n", short_id(id)));
  auto result =
      context_.runner.run(id, [this](std::string_view output) { context_.say(std::string(output)); }, context_.cancel);
  if (result && result->exit_code == 0) {
    auto done = commit(state, result->writable, created_by, key);
    context_.runner.release(id);
    if (done && context_.options.remove)
      context_.say(fmt::format("Removing intermediate container {}\n", short_id(id)));
    return done;
  }
  context_.runner.release(id);
  if (!result) return std::move(result).error();
  return fail(Code::Unknown, "The command '{}' returned a non-zero code: {}", join(run.argv, " "), result->exit_code);
}

Result<void> Executor::do_workdir(const Instruction& step, StageState& state) {
  if (!step.flags.empty())
    return fail(Code::InvalidArgument, "dockerfile parse error line {}: unknown flag: --{}", step.line,
                step.flags[0].name);
  auto path = TRY(expand_word(step.text, context_.escape, lookup(state)));
  std::string whole = path.starts_with('/') ? path : state.config.working_dir + "/" + path;
  std::vector<std::string> pieces;
  for (auto& piece : split(whole, '/')) {
    if (piece == ".." && !pieces.empty())
      pieces.pop_back();
    else if (!piece.empty() && piece != "." && piece != "..")
      pieces.push_back(std::move(piece));
  }
  state.config.working_dir = "/" + join(pieces, "/");
  std::string shown = "WORKDIR " + state.config.working_dir;
  std::string key = StepCache::key(state.image_id, shown, "");
  if (TRY(try_cache(key, state))) return {};
  auto writable = TRY(context_.runner.open_writable(state.image_id));
  auto made = [&]() -> Result<void> {
    auto root = TRY(context_.runner.root_of(writable));
    if (kind_of({root.get(), nullptr}, state.config.working_dir) == FileKind::Directory) return {};
    TRY_CONTEXT(make_directory(root.get(), state.config.working_dir), shown);
    return {};
  }();
  if (made) made = commit(state, writable, "/bin/sh -c #(nop) " + shown, key);
  context_.runner.release(writable.str());
  return made;
}

}  // namespace sampan::build
