// Changes of a containerd configuration, made in the file where each setting counts.
#include <algorithm>
#include <sstream>

#include "installer/runtimes/containerd_config.hpp"
#include "installer/runtimes/containerd_toml.hpp"

namespace kbundle {

using namespace containerd_toml;

namespace {

struct Document {
  std::string path;
  toml::table root;
  int version = 1;
  std::vector<std::string> changes;

  void set_string(const Path& at, const std::string& value) {
    if (string_at(root, at) == value) return;
    const Path parent(at.begin(), at.end() - 1);
    table_at(root, parent, path).insert_or_assign(at.back(), value);
    changes.push_back(at.back() + " = \"" + value + "\"");
  }

  void enable_cri() {
    toml::array* disabled = root["disabled_plugins"].as_array();
    if (disabled == nullptr) return;
    for (auto it = disabled->begin(); it != disabled->end();) {
      const std::string name = it->value_or(std::string());
      if (is_cri_plugin(name)) {
        it = disabled->erase(it);
        changes.push_back("disabled_plugins without \"" + name + "\"");
      } else {
        ++it;
      }
    }
  }
};

// Nothing in it is spelt in version 1's way.
bool fits_version_2(const Document& document) {
  if (const auto* plugins = document.root["plugins"].as_table())
    for (const auto& [name, section] : *plugins)
      if (std::string_view(name.str()).find('.') == std::string_view::npos) return false;
  for (const char* list : {"disabled_plugins", "required_plugins"})
    if (const auto* names = document.root[list].as_array())
      for (const toml::node& name : *names)
        if (name.value_or(std::string()).find('.') == std::string::npos) return false;
  return true;
}

class Merge {
 public:
  Merge(const std::vector<ContainerdFile>& files, const ContainerdWish& wish) : wish_(wish) {
    for (const ContainerdFile& file : files)
      documents_.push_back({file.path, parse(file.text, file.path), 1, {}});
  }

  void run() {
    for (Document& document : documents_) document.enable_cri();
    settle_versions();
    counting(&Keys::sandbox).set_string(keys(&Keys::sandbox), wish_.sandbox_image);
    set_cni();
    set_registry();
  }

  std::vector<ContainerdEdit> edits() const {
    std::vector<ContainerdEdit> result;
    for (const Document& document : documents_) {
      if (document.changes.empty()) continue;
      std::ostringstream out;
      out << document.root << "\n";
      result.push_back({document.path, out.str(), document.changes});
    }
    return result;
  }

 private:
  Document& main() { return documents_.front(); }

  // A file without a version is of version 1. It becomes version 2, which newer containerds want,
  // when nothing is spelt in version 1's way. A file that is imported follows the main one.
  void settle_versions() {
    const int given = version_of(main().root, main().path);
    main().version = std::max(given, 1);
    if (!main().root.contains("version") &&
        std::all_of(documents_.begin(), documents_.end(), fits_version_2)) {
      main().root.insert_or_assign("version", 2);
      main().changes.emplace_back("version = 2");
      main().version = 2;
    }
    for (Document& document : documents_)
      if (const int own = version_of(document.root, document.path); &document != &main())
        document.version = own == 0 ? main().version : own;
  }

  // The file whose word on a setting counts; config.toml when none speaks of it.
  Document& counting(Path Keys::*setting, const char* key = nullptr) {
    for (auto document = documents_.rbegin(); document != documents_.rend(); ++document) {
      Path path = keys_of(document->version).*setting;
      if (key != nullptr) path.emplace_back(key);
      if (!wish_.merges_keys) path.resize(2);  // {"plugins", NAME}
      if (find(document->root, path) != nullptr) {
        counting_version_ = document->version;
        return *document;
      }
    }
    counting_version_ = main().version;
    return main();
  }
  // The path in the file that counting() gave last.
  Path keys(Path Keys::*setting) const { return keys_of(counting_version_).*setting; }

  void set_cni() {
    // Since containerd 2.1 there may be a list of plugin folders instead.
    Document& listing = counting(&Keys::cni, "bin_dirs");
    if (toml::node* node =
            const_cast<toml::node*>(find(listing.root, with(keys(&Keys::cni), "bin_dirs")))) {
      auto* folders = node->as_array();
      const bool has = folders != nullptr &&
                       std::any_of(folders->begin(), folders->end(), [&](const toml::node& folder) {
                         return folder.value_or(std::string()) == wish_.cni_bin_dir;
                       });
      if (folders != nullptr && !folders->empty() && !has) {
        folders->insert(folders->begin(), wish_.cni_bin_dir);
        listing.changes.push_back("bin_dirs with \"" + wish_.cni_bin_dir + "\"");
      }
    }
    // Absent, they are what is wished.
    for (const auto& [key, value] :
         {std::pair("bin_dir", wish_.cni_bin_dir), std::pair("conf_dir", wish_.cni_conf_dir)}) {
      Document& document = counting(&Keys::cni, key);
      const Path path = with(keys(&Keys::cni), key);
      if (!string_at(document.root, path).empty()) document.set_string(path, value);
    }
  }

  // The folder of hosts.toml files is a convenience.
  void set_registry() {
    if (wish_.registry_config_path.empty()) return;
    for (const char* key : {"config_path", "mirrors", "configs"}) {
      const Document& document = counting(&Keys::registry, key);
      const toml::node* node = find(document.root, with(keys(&Keys::registry), key));
      if (node == nullptr) continue;
      const toml::table* table = node->as_table();
      const bool empty = table != nullptr ? table->empty() : node->value_or(std::string()).empty();
      if (!empty) return;
    }
    Document& document = counting(&Keys::registry);
    document.set_string(with(keys(&Keys::registry), "config_path"), wish_.registry_config_path);
  }

  const ContainerdWish& wish_;
  std::vector<Document> documents_;
  int counting_version_ = 1;
};

}  // namespace

std::vector<ContainerdEdit> merge_containerd_config(const std::vector<ContainerdFile>& files,
                                                    const ContainerdWish& wish) {
  Merge merge(files, wish);
  merge.run();
  return merge.edits();
}

}  // namespace kbundle
