#include "image/internal/core.h"

#include "base/strings.h"

namespace sampan::image {
namespace {

constexpr std::string_view kRunning = "running:", kMounting = "mounting:";

struct Users {
  std::string running, mounting, stopped;  // one of each kind, as Docker shows it
  std::string any() const { return !running.empty() ? running : !mounting.empty() ? mounting : stopped; }
};

/// Ids are cut to twelve digits, names stay whole.
std::string shown_container(std::string_view name) {
  bool is_id = name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return std::string(is_id ? name.substr(0, 12) : name);
}

class Removal {
 public:
  Removal(Core& core, Force force, bool prune_parents, const UsedBy& used_by)
      : core_(core), force_(force == Force::Yes), prune_(prune_parents), used_by_(used_by) {}

  Result<std::vector<RemovedImage>> run(const std::string& name) {
    const std::string id = TRY(find_image_id(core_, name));
    bool untagged = false;
    if (!is_id_prefix(id, name) || TRY(is_name_of(name, id))) {
      TRY(untag(name, id));
      if (!TRY(references(id)).empty()) return std::move(removed_);
      untagged = true;
    } else if (is_single_repository(TRY(references(id)))) {
      TRY(check(id, {.hard = true, .stopped = !force_, .referenced = false}));
    }
    TRY(remove_image_and_parents(id, untagged));
    TRY(collect());
    return std::move(removed_);
  }

 private:
  struct Mask {
    bool hard = true, stopped = true, referenced = true;
  };

  /// "abc" may be an image's name and another's id prefix: the name was found first.
  Result<bool> is_name_of(const std::string& name, const std::string& id) {
    auto reference = oci::parse_reference(name);
    if (!reference) return false;
    auto named = TRY(core_.tables.find_named(*reference));
    return named && *named == id;
  }

  Result<std::vector<NameRow>> references(const std::string& id) {
    auto out = TRY(core_.tables.tags(id));
    for (auto& row : TRY(core_.tables.digests(id))) out.push_back(std::move(row));
    return out;
  }

  static bool is_digest(const NameRow& row) { return row.label.find(':') != std::string::npos; }
  static bool same_repository(const NameRow& a, const NameRow& b) { return a.domain == b.domain && a.path == b.path; }

  /// At most one tag, and every name in one repository.
  static bool is_single_repository(const std::vector<NameRow>& rows) {
    size_t tags = 0;
    for (const auto& row : rows) {
      tags += is_digest(row) ? 0 : 1;
      if (!same_repository(row, rows[0])) return false;
    }
    return tags <= 1;
  }

  Users users(const std::string& id) {
    Users out;
    if (!used_by_) return out;
    for (const auto& user : used_by_(id)) {
      if (std::string_view(user).starts_with(kRunning))
        out.running = shown_container(std::string_view(user).substr(kRunning.size()));
      else if (std::string_view(user).starts_with(kMounting))
        out.mounting = shown_container(std::string_view(user).substr(kMounting.size()));
      else
        out.stopped = shown_container(user);
    }
    return out;
  }

  Result<void> check(const std::string& id, Mask mask) {
    auto conflict = [&](const char* how, const std::string& why) {
      return fail(Code::Conflict, "conflict: unable to delete {} ({}) - {}", short_id(id), how, why);
    };
    auto used = users(id);
    if (mask.hard && !TRY(core_.tables.children(id)).empty())
      return conflict("cannot be forced", "image has dependent child images");
    if (mask.hard && !used.running.empty())
      return conflict("cannot be forced", "image is being used by running container " + used.running);
    if (mask.hard && !used.mounting.empty())
      return conflict("cannot be forced", "image is mounted by container " + used.mounting);
    if (mask.referenced && !TRY(references(id)).empty())
      return conflict("must be forced", "image is referenced in multiple repositories");
    if (mask.stopped && !used.stopped.empty())
      return conflict("must be forced", "image is being used by stopped container " + used.stopped);
    return {};
  }

  Result<void> drop(const NameRow& row) {
    TRY(is_digest(row) ? core_.tables.delete_digest(row) : core_.tables.delete_tag(row));
    removed_.push_back({.untagged = row.familiar(), .deleted = ""});
    return {};
  }

  /// Removes the name; digests of a repository go with its last tag.
  Result<void> untag(const std::string& name, const std::string& id) {
    auto reference = TRY(oci::parse_reference(name));
    auto rows = TRY(references(id));
    if (auto user = users(id).any(); !force_ && is_single_repository(rows) && !user.empty()) {
      return fail(Code::Conflict,
                  "conflict: unable to remove repository reference \"{}\" (must force) - container {} is using its "
                  "referenced image {}",
                  name, user, short_id(id));
    }
    NameRow target{reference.domain, reference.path, reference.digest.empty() ? reference.tag : reference.digest, id};
    TRY(drop(target));
    if (is_digest(target)) return {};
    auto left = TRY(references(id));
    for (const auto& row : left) {
      if (!is_digest(row) && same_repository(row, target)) return {};
    }
    for (const auto& row : left) {
      if (same_repository(row, target)) TRY(drop(row));
    }
    return {};
  }

  Result<void> remove_image_and_parents(std::string id, bool untagged) {
    bool is_parent = false;
    while (!id.empty()) {
      // An image that was named by its id loses its names together with itself, when they are all in one repository.
      bool names_go = !is_parent && !untagged && (force_ || is_single_repository(TRY(references(id))));
      auto checked =
          check(id, {.hard = true, .stopped = is_parent || !force_, .referenced = !names_go && (is_parent || !force_)});
      if (!checked) {
        if (is_parent) return {};
        // The name is gone as asked; what still stands on the image keeps it.
        if (untagged && (!users(id).any().empty() || !TRY(core_.tables.children(id)).empty())) return {};
        return checked;
      }
      auto row = TRY(core_.tables.find_image(id));
      for (const auto& name : TRY(references(id))) removed_.push_back({.untagged = name.familiar(), .deleted = ""});
      TRY(core_.tables.transaction([&] { return core_.tables.delete_image(id); }));
      removed_.push_back({.untagged = "", .deleted = id});
      id = prune_ && row ? row->parent : "";
      is_parent = true;
    }
    return {};
  }

  Result<void> collect() {
    for (auto& chain : TRY(collect_layers(core_))) removed_.push_back({.untagged = "", .deleted = std::move(chain)});
    return {};
  }

  Core& core_;
  const bool force_, prune_;
  const UsedBy& used_by_;
  std::vector<RemovedImage> removed_;
};

}  // namespace

Result<std::vector<RemovedImage>> remove_image(Core& core, const std::string& name, Force force, bool prune_parents,
                                               const UsedBy& used_by) {
  return Removal(core, force, prune_parents, used_by).run(name);
}

Result<std::vector<std::string>> collect_layers(Core& core) {
  std::vector<std::string> out;
  auto layers = TRY(core.tables.unreferenced_layers());
  // A layer goes before the one below it: repeat until a round removes nothing.
  for (bool progress = true; progress && !layers.empty();) {
    progress = false;
    std::vector<LayerRow> left;
    for (auto& layer : layers) {
      bool has_child =
          std::any_of(layers.begin(), layers.end(), [&](const auto& other) { return other.parent == layer.chain_id; });
      if (!has_child && TRY(core.layers.collect(layer))) {
        out.push_back(layer.chain_id);
        progress = true;
      } else {
        left.push_back(std::move(layer));
      }
    }
    layers = std::move(left);
  }
  return out;
}

}  // namespace sampan::image
