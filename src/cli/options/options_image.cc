#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kPlatform{"platform", 0,     String, "query:platform", "Platform of the image, os[/arch[/variant]]",
                           {},         "1.41"};

constexpr Option kList[] = {
    {"all", 'a', Flag, "query:all", "Show intermediate images, too"},
    {"digests", 0, Flag, "query:digests", "Show digests"},
    {"filter", 'f', Filter, "query:filters", "Show only what matches, e.g. dangling=true"},
    {"format", 0, String, "client:output", "Output format: table, json or a Go template"},
    {"no-trunc", 0, Flag, "client:output", "Do not shorten the output"},
    {"quiet", 'q', Flag, "client:output", "Show only ids"},
};
constexpr Option kPull[] = {
    {"all-tags", 'a', Flag, "client:no tag", "Pull every tag of the repository"},
    kPlatform,
    {"quiet", 'q', Flag, "client:progress output", "Show no progress"},
};
constexpr Option kPush[] = {
    {"all-tags", 'a', Flag, "client:no tag", "Push every tag of the repository"},
    {"platform", 0, String, "query:platform", "Push only this platform's image", {}, "1.46"},
    {"quiet", 'q', Flag, "client:progress output", "Show no progress"},
};
constexpr Option kRemove[] = {
    {"force", 'f', Flag, "query:force", "Remove it also when it is tagged or used"},
    {"no-prune", 0, Flag, "query:noprune", "Keep untagged parents"},
};
constexpr Option kHistory[] = {
    {"format", 0, String, "client:output", "Output format: table, json or a Go template"},
    {"human", 'H', Flag, "client:output", "Print sizes and dates for humans", "true"},
    {"no-trunc", 0, Flag, "client:output", "Do not shorten the output"},
    {"platform", 0, String, "query:platform", "Show this platform's image", {}, "1.48"},
    {"quiet", 'q', Flag, "client:output", "Show only ids"},
};
constexpr Option kInspect[] = {{"format", 'f', String, "client:output", "Output format: json or a Go template"}};
constexpr Option kImport[] = {
    {"change", 'c', List, "query:changes", "Dockerfile instruction to apply"},
    {"message", 'm', String, "query:message", "Message of the commit"},
    kPlatform,
};
constexpr Option kLoad[] = {
    {"input", 'i', String, "client:file that holds the archive", "Read a file instead of stdin"},
    {"platform", 0, String, "query:platform", "Load only this platform's image", {}, "1.48"},
    {"quiet", 'q', Flag, "query:quiet", "Show no progress"},
};
constexpr Option kSave[] = {
    {"output", 'o', String, "client:file that receives the archive", "Write to a file instead of stdout"},
    {"platform", 0, String, "query:platform", "Save only this platform's image", {}, "1.48"},
};
constexpr Option kPrune[] = {
    {"all", 'a', Flag, "client:filter dangling=false",
     "Remove every image without a container, not only untagged ones"},
    {"filter", 0, Filter, "query:filters", "Remove only what matches (until=<time>, label=<label>)"},
    {"force", 'f', Flag, "client:no question", "Do not ask"},
};

constexpr Command kCommands[] = {
    {"image ls",
     "images|image list",
     "[OPTIONS] [REPOSITORY[:TAG]]",
     "List images",
     0,
     1,
     Interspersed::Yes,
     kList,
     {},
     list_images},
    {"image pull",
     "pull",
     "[OPTIONS] NAME[:TAG|@DIGEST]",
     "Fetch an image from a registry",
     1,
     1,
     Interspersed::Yes,
     kPull,
     {},
     pull_image},
    {"image push",
     "push",
     "[OPTIONS] NAME[:TAG]",
     "Send an image to a registry",
     1,
     1,
     Interspersed::Yes,
     kPush,
     {},
     push_image},
    {"image tag",
     "tag",
     "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
     "Give an image another name",
     2,
     2,
     Interspersed::Yes,
     {},
     {},
     tag_image},
    {"image rm",
     "rmi|image remove",
     "[OPTIONS] IMAGE [IMAGE...]",
     "Remove images",
     1,
     -1,
     Interspersed::Yes,
     kRemove,
     {},
     remove_images},
    {"image history",
     "history",
     "[OPTIONS] IMAGE",
     "Show how an image was made",
     1,
     1,
     Interspersed::Yes,
     kHistory,
     {},
     show_history},
    {"image inspect",
     "",
     "[OPTIONS] IMAGE [IMAGE...]",
     "Show all about images",
     1,
     -1,
     Interspersed::Yes,
     kInspect,
     {},
     inspect_images},
    {"image import",
     "import",
     "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
     "Make an image from a tar archive of a filesystem",
     1,
     2,
     Interspersed::Yes,
     kImport,
     {},
     import_image},
    {"image load", "load", "[OPTIONS]", "Load images from an archive", 0, 0, Interspersed::Yes, kLoad, {}, load_images},
    {"image save",
     "save",
     "[OPTIONS] IMAGE [IMAGE...]",
     "Save images to an archive",
     1,
     -1,
     Interspersed::Yes,
     kSave,
     {},
     save_images},
    {"image prune", "", "[OPTIONS]", "Remove unused images", 0, 0, Interspersed::Yes, kPrune, {}, prune_images},
    {"search", "", "[OPTIONS] TERM", "Search a registry for images", 1, 1, Interspersed::Yes, {}, {}, search_images},
};

}  // namespace

std::span<const Command> image_commands() {
  return kCommands;
}

}  // namespace sampan::cli
