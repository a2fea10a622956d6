#include "installer/layer_unpack.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "installer/rooted_tree.hpp"

namespace kbundle {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
std::string shown(const PathNames& names) {
  return printable("/" + join(names, "/"));
}

void check(int result, const std::string& action) {
  if (result != 0) throw_errno(action, errno);
}

// containerd's bounds: before 1970 and after 2262 is 1970.
timespec bounded(const TarTime& time) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr TarTime last{most / 1'000'000'000, static_cast<std::int32_t>(most % 1'000'000'000)};
  if (time < TarTime{} || time > last) return {0, 0};
  return {static_cast<time_t>(time.seconds), time.nanoseconds};
}

std::array<timespec, 2> times_of(const TarEntry& entry) {
  return {bounded(entry.accessed), bounded(entry.modified)};
}

class Unpacker {
 public:
  Unpacker(Source& stream, const LayerTarget& target)
      : tar_(stream), target_(target), tree_(target.folder), buffer_(kCopyBufferSize) {
    for (const auto& folder : target.below) below_.emplace_back(folder);
  }

  void run() {
    TarEntry entry;
    while (tar_.next(entry)) {
      throw_if_interrupted();
      apply(entry);
    }
    // Now that nothing is made in them any more.
    for (const auto& [names, times] : folders_) {
      PathNames path = tree_.resolve(names);
      if (path.empty()) continue;
      const std::string base = std::move(path.back());
      path.pop_back();
      const UniqueFd parent = tree_.open_folder(path);
      check(
          parent ? ::utimensat(parent.get(), base.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) : -1,
          "set the times of " + shown(names));
    }
  }

 private:
  void apply(const TarEntry& entry) {
    PathNames names = path_names(entry.name);
    // containerd resolves these textually; images do not have them.
    if (std::find(names.begin(), names.end(), "..") != names.end())
      throw UnusualLayer("it has a name with ..");
    if (names.empty()) return;  // the root itself is left as it is
    const PathNames given = names;
    const std::string base = std::move(names.back());
    names.pop_back();
    enter(names);
    if (base.starts_with(kWhiteout)) {
      whiteout(base, entry);
      return;
    }

    struct stat old {};
    const bool there = ::fstatat(parent_.get(), base.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
    const bool merge = there && S_ISDIR(old.st_mode) && entry.type == TarEntry::Type::folder;
    if (there && !merge) {
      remove_all_at(parent_.get(), base);
    }
    make(base, entry, merge, given);
    if (entry.type == TarEntry::Type::folder) folders_.emplace_back(given, times_of(entry));
    if (target_.whiteouts == LayerTarget::Whiteouts::remove) {
      PathNames path = parent_names_;
      path.push_back(base);
      unpacked_.insert(std::move(path));
    }
  }

  // Makes the folder that an entry lies in the current one. It stays valid: what entries change
  // lies in it, never on the way to it.
  void enter(const PathNames& names) {
    if (parent_ && names == entered_) return;
    PathNames resolved = tree_.resolve(names);
    UniqueFd folder = tree_.open_folder(resolved);
    if (!folder) {
      if (errno != ENOENT) throw_errno("open the folder " + shown(resolved), errno);
      for (std::size_t depth = 1; depth <= resolved.size(); ++depth)
        make_parent({resolved.begin(), resolved.begin() + static_cast<std::ptrdiff_t>(depth)});
      folder = tree_.open_folder(resolved);
      if (!folder) throw_errno("open the folder " + shown(resolved), errno);
    }
    parent_ = std::move(folder);
    parent_names_ = std::move(resolved);
    entered_ = names;
  }

  // A folder on the way that this layer does not bring itself.
  void make_parent(const PathNames& path) {
    const UniqueFd at = tree_.open_folder({path.begin(), path.end() - 1});
    if (!at) throw_errno("open the folder above " + shown(path), errno);
    const std::string& name = path.back();
    if (::mkdirat(at.get(), name.c_str(), 0755) != 0) {
      if (errno == EEXIST) return;
      throw_errno("make the folder " + shown(path), errno);
    }
    check(::fchmodat(at.get(), name.c_str(), 0755, 0), "set the mode of " + shown(path));
    for (const RootedTree& layer : below_) {
      PathNames there = layer.resolve(path);
      if (there.empty()) return;
      const std::string base = std::move(there.back());
      there.pop_back();
      const UniqueFd folder = layer.open_folder(there);
      struct stat status {};
      if (!folder || ::fstatat(folder.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;
        throw_errno("look at " + shown(path) + " of a layer below", errno);
      }
      if (S_ISDIR(status.st_mode)) copy_attributes(status, folder.get(), base, at.get(), name);
      return;  // what is no folder there was replaced
    }
  }

  static void copy_attributes(const struct stat& status, int from, const std::string& from_name,
                              int to, const std::string& to_name) {
    const std::string action = "copy the attributes of the folder " + printable(to_name);
    check(::fchownat(to, to_name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW),
          action);
    check(::fchmodat(to, to_name.c_str(), status.st_mode & 07777, 0), action);
    const std::array<timespec, 2> times = {status.st_atim, status.st_mtim};
    check(::utimensat(to, to_name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), action);
    const std::string source = through_descriptor(from, from_name);
    const std::string copy = through_descriptor(to, to_name);
    std::vector<char> list(XATTR_LIST_MAX), value(XATTR_SIZE_MAX);
    const auto size = ::llistxattr(source.c_str(), list.data(), list.size());
    if (size < 0 && errno == ENOTSUP) return;
    check(size < 0 ? -1 : 0, action);
    for (const char* key = list.data(); key < list.data() + size;
         key += std::string_view(key).size() + 1) {
      if (std::string_view(key).starts_with("trusted.")) continue;
      const auto length = ::lgetxattr(source.c_str(), key, value.data(), value.size());
      if (length < 0 && (errno == ENOTSUP || errno == ENODATA)) continue;
      check(length < 0 ? -1 : 0, action);
      if (::lsetxattr(copy.c_str(), key, value.data(), static_cast<std::size_t>(length),
                      XATTR_CREATE) != 0 &&
          errno != ENOTSUP && errno != ENODATA && errno != EEXIST)
        throw_errno(action, errno);
    }
  }

  void whiteout(const std::string& base, const TarEntry& entry) {
    const bool overlay = target_.whiteouts == LayerTarget::Whiteouts::overlay;
    if (base == kOpaque) {
      if (overlay) {
        const std::string path = through_descriptor(parent_.get(), ".");
        check(::setxattr(path.c_str(), "trusted.overlay.opaque", "y", 1, 0),
              "mark the folder " + shown(parent_names_) + " as opaque");
      } else {
        PathNames names = parent_names_;
        remove_what_was_not_unpacked(parent_.get(), names);
      }
      return;
    }
    const std::string name = base.substr(kWhiteout.size());
    if (name.empty() || name == "." || name == "..")
      throw Error(ExitCode::verification,
                  "a layer has the whiteout " + printable(entry.name) + ", which names no file");
    if (!overlay) {
      remove_all_at(parent_.get(), name);
      return;
    }
    const std::string action = "make the whiteout of " + printable(name);
    check(::mknodat(parent_.get(), name.c_str(), S_IFCHR, makedev(0, 0)), action);
    check(::fchownat(parent_.get(), name.c_str(), entry.user, entry.group, AT_SYMLINK_NOFOLLOW),
          action);
  }

  // An opaque folder in the lowest layer hides what this very layer did not bring: containerd
  // walks all of it.
  void remove_what_was_not_unpacked(int folder, PathNames& names) {
    const int fd = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) throw_errno("open the folder " + shown(names), errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), ::closedir);
    if (!entries) {
      ::close(fd);
      throw_errno("read the folder " + shown(names), errno);
    }
    while (const dirent* entry = ::readdir(entries.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      names.push_back(name);
      if (!unpacked_.contains(names)) {
        remove_all_at(fd, name);
      } else if (const UniqueFd child(
                     ::openat(fd, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
                 child) {
        remove_what_was_not_unpacked(child.get(), names);
      }
      names.pop_back();
    }
  }

  void make(const std::string& base, const TarEntry& entry, bool merge, const PathNames& given) {
    const int at = parent_.get();
    const std::string action = "unpack " + shown(given);
    const mode_t mode = entry.mode;
    switch (entry.type) {
      case TarEntry::Type::file:
        make_file(base, entry, action);
        return;
      case TarEntry::Type::folder:
        if (!merge) check(::mkdirat(at, base.c_str(), mode & 0777), action);
        break;
      case TarEntry::Type::hard_link:
        make_hard_link(base, entry, action);
        break;
      case TarEntry::Type::symbolic_link:
        check(::symlinkat(entry.link.c_str(), at, base.c_str()), action);
        break;
      case TarEntry::Type::character:
        check(::mknodat(at, base.c_str(), S_IFCHR | mode, makedev(entry.major, entry.minor)),
              action);
        break;
      case TarEntry::Type::block:
        check(::mknodat(at, base.c_str(), S_IFBLK | mode, makedev(entry.major, entry.minor)),
              action);
        break;
      case TarEntry::Type::fifo:
        check(::mknodat(at, base.c_str(), S_IFIFO | mode, 0), action);
        break;
    }
    check(::fchownat(at, base.c_str(), entry.user, entry.group, AT_SYMLINK_NOFOLLOW), action);
    struct stat made {};
    check(::fstatat(at, base.c_str(), &made, AT_SYMLINK_NOFOLLOW), action);
    if (!entry.xattrs.empty()) {
      const std::string path = through_descriptor(at, base);
      set_xattrs(entry, S_ISREG(made.st_mode) || S_ISDIR(made.st_mode), action,
                 [&path](const char* key, const std::string& value) {
                   return ::lsetxattr(path.c_str(), key, value.data(), value.size(), 0);
                 });
    }
    // Behind the owner, which takes set-user-id away.
    if (!S_ISLNK(made.st_mode)) check(::fchmodat(at, base.c_str(), mode, 0), action);
    const auto times = times_of(entry);
    check(::utimensat(at, base.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), action);
  }

  void make_file(const std::string& base, const TarEntry& entry, const std::string& action) {
    const UniqueFd file(::openat(parent_.get(), base.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    check(file ? 0 : -1, action);
    FdSink sink(file.get(), shown({base}));
    while (const auto count = tar_.read(buffer_))
      sink.write(std::span<const std::byte>(buffer_.data(), count));
    check(::fchown(file.get(), entry.user, entry.group), action);
    set_xattrs(entry, true, action, [&file](const char* key, const std::string& value) {
      return ::fsetxattr(file.get(), key, value.data(), value.size(), 0);
    });
    check(::fchmod(file.get(), entry.mode), action);
    const auto times = times_of(entry);
    check(::futimens(file.get(), times.data()), action);
  }

  template <typename Set>
  static void set_xattrs(const TarEntry& entry, bool takes_user, const std::string& action,
                         const Set& set) {
    for (const auto& [key, value] : entry.xattrs) {
      if (key.starts_with("trusted.")) continue;  // an administrator's, never an archive's
      if (set(key.c_str(), value) == 0 || errno == ENOTSUP) continue;
      if (errno == EPERM && key.starts_with("user.") && !takes_user) continue;
      throw_errno(action + " with its attribute " + printable(key), errno);
    }
  }

  // To the name itself, also when that is a symbolic link.
  void make_hard_link(const std::string& base, const TarEntry& entry, const std::string& action) {
    PathNames names = path_names(entry.link);
    if (names.empty() || std::find(names.begin(), names.end(), "..") != names.end())
      throw UnusualLayer("it has a hard link to " + printable(entry.link));
    const std::string name = std::move(names.back());
    names.pop_back();
    const UniqueFd folder = tree_.open_folder(tree_.resolve(names));
    check(folder ? ::linkat(folder.get(), name.c_str(), parent_.get(), base.c_str(), 0) : -1,
          action + ", a hard link to " + printable(entry.link));
  }

  LayerTar tar_;
  const LayerTarget& target_;
  RootedTree tree_;
  std::vector<RootedTree> below_;
  std::vector<std::byte> buffer_;
  std::vector<std::pair<PathNames, std::array<timespec, 2>>> folders_;
  std::set<PathNames> unpacked_;  // only where whiteouts remove
  UniqueFd parent_;               // the folder that entries are made in
  PathNames parent_names_, entered_;
};

}  // namespace

void unpack_layer(Source& tar, const LayerTarget& target) {
  Unpacker(tar, target).run();
}

}  // namespace kbundle
