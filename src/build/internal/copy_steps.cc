// COPY and ADD.

#include "base/strings.h"
#include "build/internal/execute.h"
#include "build/internal/owner.h"

namespace sampan::build {
namespace {

struct CopyFlags {
  std::optional<std::string> from, chown, chmod;
};

Result<CopyFlags> read_flags(const Instruction& step, char escape, const Lookup& lookup) {
  CopyFlags out;
  for (const auto& flag : step.flags) {
    auto value = TRY(expand_word(flag.value, escape, lookup));
    if (flag.name == "from" && step.name == "COPY")
      out.from = flag.value;
    else if (flag.name == "chown")
      out.chown = value;
    else if (flag.name == "chmod")
      out.chmod = value;
    else if (flag.name == "link" || flag.name == "parents" || flag.name == "exclude" || flag.name == "checksum" ||
             flag.name == "keep-git-dir" || flag.name == "unpack") {
      return fail(Code::NotImplemented, "dockerfile line {}: {} --{} is not implemented by this builder", step.line,
                  step.name, flag.name);
    } else {
      return fail(Code::InvalidArgument, "dockerfile parse error line {}: unknown flag: --{}", step.line, flag.name);
    }
  }
  return out;
}

Result<std::optional<uint32_t>> read_mode(const std::optional<std::string>& text) {
  if (!text) return std::optional<uint32_t>();
  uint32_t mode = 0;
  for (char c : *text) {
    if (c < '0' || c > '7' || text->size() > 5)
      return fail(Code::InvalidArgument, "invalid chmod parameter: '{}'. it should be octal string", *text);
    mode = mode * 8 + static_cast<uint32_t>(c - '0');
  }
  if (text->empty() || mode > 07777)
    return fail(Code::InvalidArgument, "invalid chmod parameter: '{}'. it should be octal string", *text);
  return std::optional(mode);
}

bool is_remote(const std::string& source) {
  return source.starts_with("http://") || source.starts_with("https://") || source.starts_with("git@") ||
         source.starts_with("git://");
}

/// The sources as the instruction names them, the destination last.
Result<std::vector<std::string>> read_paths(const Instruction& step, char escape, const Lookup& lookup) {
  std::vector<std::string> out;
  if (step.json) {
    for (const auto& word : *step.json) out.push_back(TRY(expand_word(word, escape, lookup)));
  } else {
    out = TRY(expand_words(step.text, escape, lookup));
  }
  if (out.size() < 2) {
    return fail(Code::InvalidArgument,
                "dockerfile parse error line {}: {} requires at least two arguments, but only one was provided. "
                "Destination could not be determined.",
                step.line, step.name);
  }
  return out;
}

const Heredoc* find_heredoc(const Instruction& step, const std::string& source) {
  for (const auto& doc : step.heredocs) {
    if (source == "<<" + doc.name || source == "<<-" + doc.name) return &doc;
  }
  return nullptr;
}

}  // namespace

Result<Executor::CopySource> Executor::copy_source(const Instruction& step, size_t index) {
  CopySource out;
  const std::string* from = step.find_flag("from");
  if (!from) {
    out.tree = {context_.context_root, &context_.ignore};
    return out;
  }
  std::string id;
  if (auto stage = find_stage(graph_, to_lower(*from), index)) {
    id = results_[*stage];
  } else if (auto found = context_.images.get(*from)) {
    id = found->id;
  } else {
    id = TRY_CONTEXT(context_.runner.pull(*from, context_.options, context_.progress, context_.cancel),
                     fmt::format("invalid from flag value {}", *from));
  }
  out.owned = TRY(context_.runner.root_of_image(id));
  out.tree = {out.owned.get(), nullptr};
  out.identity = id;
  return out;
}

/// Which files of the source are meant, and a digest of what they hold.
Result<Executor::CopyPlan> Executor::plan_copy(const Instruction& step, const StageState& state,
                                               const CopySource& source) {
  auto flags = TRY(read_flags(step, context_.escape, lookup(state)));
  CopyPlan plan{.mode = TRY(read_mode(flags.chmod)), .chown = flags.chown};
  auto paths = TRY(read_paths(step, context_.escape, lookup(state)));
  std::string target = paths.back();
  paths.pop_back();
  codec::Sha256 hash;
  for (const auto& path : paths) {
    if (const Heredoc* doc = find_heredoc(step, path)) {
      auto content = doc->expand ? TRY(expand_text(doc->content, context_.escape, lookup(state))) : doc->content;
      hash.update(content);
      plan.documents.emplace_back(doc->name, std::move(content));
      continue;
    }
    if (step.name == "ADD" && is_remote(path)) {
      return fail(Code::NotImplemented,
                  "dockerfile line {}: ADD of the remote source {} is not implemented by this builder", step.line,
                  path);
    }
    for (auto& file : TRY(find_sources(source.tree, path, step.name))) {
      TRY(hash_path(source.tree, file, flags.from.has_value(), hash, context_.cancel));
      plan.files.push_back(std::move(file));
    }
  }
  plan.into_directory = target.ends_with('/') || target == "." || target.ends_with("/.");
  if (plan.files.size() + plan.documents.size() > 1 && !plan.into_directory) {
    return fail(Code::InvalidArgument,
                "When using {} with more than one source file, the destination must be a directory and end with a /",
                step.name);
  }
  plan.where = target.starts_with('/') ? target : state.config.working_dir + "/" + target;
  if (plan.into_directory && !plan.where.ends_with('/')) plan.where += '/';
  plan.shown = fmt::format("{} {}{}{}:{} in {} ", step.name, flags.chown ? "--chown=" + *flags.chown + " " : "",
                           flags.chmod ? "--chmod=" + *flags.chmod + " " : "",
                           plan.files.size() == 1 ? "file" : "multi", hash.hex(), plan.where);
  return plan;
}

Result<void> Executor::apply_copy(const CopyPlan& plan, const CopySource& source, bool unpack, int root) {
  CopyOptions options{std::pair(0u, 0u), plan.mode};
  if (plan.chown) options.owner = TRY(resolve_owner(root, *plan.chown));
  for (const auto& [name, content] : plan.documents) {
    TRY(write_file(root, plan.into_directory ? plan.where + name : plan.where, content, options));
  }
  // What comes out of an archive keeps the owners that the archive names, unless --chown says otherwise.
  CopyOptions inside{plan.chown ? options.owner : std::nullopt, plan.mode};
  for (const auto& file : plan.files) {
    bool unpacked = unpack && TRY(unpack_archive(source.tree, file, root, plan.where, inside, context_.cancel));
    if (!unpacked) TRY(copy_path(source.tree, file, root, plan.where, options, context_.cancel));
  }
  return {};
}

Result<void> Executor::do_copy(const Instruction& step, StageState& state, size_t index) {
  auto source = TRY(copy_source(step, index));
  auto plan = TRY(plan_copy(step, state, source));
  std::string key = StepCache::key(state.image_id, plan.shown, "");
  if (TRY(try_cache(key, state))) return {};
  auto writable = TRY(context_.runner.open_writable(state.image_id));
  auto copied = [&]() -> Result<void> {
    auto root = TRY(context_.runner.root_of(writable));
    return apply_copy(plan, source, step.name == "ADD", root.get());
  }();
  if (copied) copied = commit(state, writable, "/bin/sh -c #(nop) " + plan.shown, key);
  context_.runner.release(writable.str());
  return copied;
}

}  // namespace sampan::build
