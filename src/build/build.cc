#include "build/build.h"

#include <fcntl.h>

#include "base/strings.h"
#include "build/internal/execute.h"
#include "image/archive.h"
#include "oci/reference.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::build {
namespace {

constexpr size_t kMaxDockerfile = 1 << 20;

/// A directory of this build's own, removed at the end whatever happens.
class Scratch {
 public:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  ~Scratch() { (void)sys::remove_tree(path_); }  // recover() of the images sweeps what a crash leaves
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<void> refuse_unsupported(const BuildOptions& options) {
  if (options.squash) return fail(Code::NotImplemented, "build option \"squash\" is not implemented");
  if (!options.platform.empty()) TRY(oci::parse_platform(options.platform));
  for (const auto& tag : options.tags) TRY(oci::parse_reference(tag));
  return {};
}

Result<std::string> read_dockerfile(int root, const BuildOptions& options) {
  auto text = sys::read_file_in_root(root, options.dockerfile, kMaxDockerfile);
  if (!text && text.error().code() == Code::NotFound && options.dockerfile == "Dockerfile") {
    text = sys::read_file_in_root(root, "dockerfile", kMaxDockerfile);
  }
  if (!text && text.error().code() == Code::NotFound) {
    return fail(Code::InvalidArgument, "Cannot locate specified Dockerfile: {}", options.dockerfile);
  }
  return text;
}

/// <Dockerfile>.dockerignore beside the Dockerfile wins over the context's own.
Result<IgnoreRules> read_ignore(int root, const BuildOptions& options) {
  auto text = sys::read_file_in_root(root, options.dockerfile + ".dockerignore", kMaxDockerfile);
  if (!text) text = sys::read_file_in_root(root, ".dockerignore", kMaxDockerfile);
  if (!text) {
    if (text.error().code() == Code::NotFound) return IgnoreRules();
    return std::move(text).error().context(".dockerignore");
  }
  return IgnoreRules::parse(*text);
}

void warn_unused_args(const BuildContext& context, const StageGraph& graph) {
  std::vector<std::string> unused;
  for (const auto& [name, value] : context.options.build_args) {
    if (!context.used_args.contains(name) && !graph.global_args.contains(name)) unused.push_back(name);
  }
  if (!unused.empty())
    context.say(fmt::format("[Warning] One or more build-args [{}] were not consumed\n", join(unused, " ")));
}

}  // namespace

Result<std::string> build_image(ByteSource& context_tar, const BuildOptions& options, image::Images& images,
                                store::Store& store, StepRunner& runner, const std::string& scratch_dir,
                                const image::ProgressSink& progress, const Cancel& cancel) {
  TRY(refuse_unsupported(options));
  Scratch scratch(scratch_dir);
  TRY(sys::make_dirs(scratch.path()));
  auto root = TRY(sys::open_dir(scratch.path()));
  auto tar = image::make_decompressor(context_tar);
  TRY_CONTEXT(image::unpack_tar(*tar, root.get(), {}, cancel), "build context");
  auto file = TRY(parse_dockerfile(TRY(read_dockerfile(root.get(), options))));
  auto graph = TRY(make_graph(file, options.build_args, options.target));
  auto cache = TRY(StepCache::open(store));
  BuildContext context{
      options, images, runner, cache, progress, cancel, file.escape, root.get(), TRY(read_ignore(root.get(), options))};
  Executor executor(context, graph);
  auto id = TRY(executor.run());
  warn_unused_args(context, graph);
  progress({.aux_json = fmt::format(R"({{"ID":"{}"}})", id)});
  context.say(fmt::format("Successfully built {}\n", id.substr(7, 12)));
  for (const auto& text : options.tags) {
    auto reference = TRY(oci::parse_reference(text));
    TRY(images.tag(id, reference));
    context.say(fmt::format("Successfully tagged {}\n", reference.familiar()));
  }
  return id;
}

}  // namespace sampan::build
