#include "installer/host.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/interrupt.hpp"
#include "core/stream.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kFileLimit = 16U << 20U;

int prefix_bits(const unsigned char* mask, std::size_t size) {
  int bits = 0;
  for (std::size_t i = 0; i < size; ++i) bits += std::popcount(static_cast<unsigned>(mask[i]));
  return bits;
}

// "br-" and 12 hex digits; a site's own bridges (br-ex, br-mgmt) do carry addresses.
bool is_docker_bridge(std::string_view name) {
  return name.size() == 15 && name.starts_with("br-") &&
         name.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
}

}  // namespace

bool is_container_interface(std::string_view name) {
  for (std::string_view prefix : {"lo", "cni", "veth", "docker", "virbr", "flannel", "cali",
                                  "kube-ipvs", "podman", "tunl", "vxlan", "cilium", "nodelocaldns"})
    if (name.starts_with(prefix) && (prefix != "lo" || name == "lo")) return true;
  return is_docker_bridge(name);
}

// Programs of 100 MB are asked for again and again (has_program before each kubectl).
struct Host::Digests {
  using Identity = std::tuple<dev_t, ino_t, off_t, std::int64_t, std::int64_t, long, long>;
  std::mutex mutex;
  std::map<Identity, Digest> known;
};

Host::Host(std::filesystem::path root, bool keep_proxy)
    : root_(std::move(root)), keep_proxy_(keep_proxy), digests_(std::make_shared<Digests>()) {}

std::filesystem::path Host::at(std::string_view absolute) const {
  return root_ / std::filesystem::path(absolute).relative_path();
}

bool Host::exists(std::string_view absolute) const {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(at(absolute), ignored));
}

std::optional<std::string> Host::read(std::string_view absolute) const {
  try {
    return read_file_if_exists(at(absolute), kFileLimit);
  } catch (const Error&) {
    if (is_root()) throw;
    return std::nullopt;  // a plan made by an ordinary user cannot see everything
  }
}

void Host::write(std::string_view absolute, std::string_view content, unsigned mode) const {
  touching(Touch::file, std::string(absolute));
  const auto target = at(absolute);
  make_folders(target.parent_path());
  remove_stale_temporaries(target.parent_path());  // of a run that was killed here
  write_file(target, content, static_cast<mode_t>(mode));
}

void Host::remove(std::string_view absolute) const {
  touching(Touch::file, std::string(absolute));
  const auto target = at(absolute);
  if (::unlink(target.c_str()) != 0) {
    if (errno != ENOENT) throw_errno("remove " + target.string(), errno);
    return;
  }
  fsync_folder(target.parent_path());
}

std::vector<std::string> Host::list(std::string_view absolute) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(at(absolute), error), end; !error && it != end;
       it.increment(error))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<Digest> Host::digest(std::string_view absolute) const {
  if (!exists(absolute)) return std::nullopt;
  const auto source = FileRandomSource::open(at(absolute));
  struct stat status {};
  if (::fstat(source.fd(), &status) != 0) throw_errno("stat " + source.name(), errno);
  const Digests::Identity identity{
      status.st_dev,         status.st_ino,          status.st_size,        status.st_mtim.tv_sec,
      status.st_ctim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_nsec};
  {
    const std::lock_guard guard(digests_->mutex);
    if (const auto found = digests_->known.find(identity); found != digests_->known.end())
      return found->second;
  }
  SliceSource slice(source, 0, source.size());
  Hasher hasher;
  std::vector<std::byte> buffer(kCopyBufferSize);
  while (const std::size_t got = slice.read(buffer))
    hasher.update(std::span<const std::byte>(buffer.data(), got));
  Digest digest = hasher.finish();
  // A file that was changed just now may be changed again within the clock's same tick.
  if (std::chrono::system_clock::now() - std::chrono::system_clock::from_time_t(status.st_ctime) >
      std::chrono::seconds(2)) {
    const std::lock_guard guard(digests_->mutex);
    digests_->known.emplace(identity, digest);
  }
  return digest;
}

unsigned Host::mode(std::string_view absolute) const {
  struct stat status {};
  if (::stat(at(absolute).c_str(), &status) != 0) return 0;
  return status.st_mode & 07777U;
}

std::optional<std::string> Host::program(const std::string& name) const {
  const std::string path_variable = bin_dir_.empty() ? kChildPath : bin_dir_ + ":" + kChildPath;
  for (const std::string& folder : split(path_variable, ':')) {
    const std::string path = folder + "/" + name;
    struct stat status {};
    if (::stat(at(path).c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_mode & 0111U) != 0)
      return path;
  }
  return std::nullopt;
}

CommandResult Host::run(Command command) const {
  if (!live())
    throw Error(ExitCode::usage,
                "a program (" + command.argv.at(0) + ") cannot be run for another root folder",
                "leave --root out, or prepare files only: --only-phase programs");
  if (deadline_) {
    check_deadline(command.argv.at(0));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        *deadline_ - std::chrono::steady_clock::now());
    command.timeout = std::clamp(left, std::chrono::milliseconds(1), command.timeout);
  }
  command.keep_proxy = keep_proxy_;
  if (!bin_dir_.empty()) {
    command.environment.emplace("PATH", bin_dir_ + ":" + kChildPath);
    if (command.argv.at(0).find('/') == std::string::npos)
      command.argv[0] = program(command.argv[0]).value_or(command.argv[0]);
  }
  return kbundle::run(command);
}

CommandResult Host::run_checked(Command command) const {
  const std::string shown = to_shell(command.argv);
  const auto timeout = command.timeout;
  CommandResult result = run(std::move(command));
  if (result.ok()) return result;
  std::string tail = result.errors.empty() ? result.output : result.errors;
  constexpr std::size_t kTail = 4000;
  if (tail.size() > kTail) tail = "…" + tail.substr(tail.size() - kTail);
  const std::string how = result.timed_out
                              ? "did not end within " + human_duration(timeout) + " and was killed"
                              : "failed with status " + std::to_string(result.exit_status);
  throw Error(ExitCode::phase, "`" + shown + "` " + how + ":\n" + std::string(trim(tail)));
}

void Host::check_deadline(std::string_view waiting_for) const {
  throw_if_interrupted();
  if (deadline_ && std::chrono::steady_clock::now() >= *deadline_)
    throw Error(ExitCode::phase,
                "the phase's time ran out, waiting for " + std::string(waiting_for));
}

void Host::pause(std::chrono::milliseconds time, std::string_view waiting_for) const {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    check_deadline(waiting_for);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

bool Host::is_root() const {
  return ::geteuid() == 0;
}

std::vector<InterfaceAddress> Host::addresses() const {
  std::vector<InterfaceAddress> result;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return result;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr) continue;
    if ((entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    if (is_container_interface(entry->ifa_name)) continue;
    char text[INET6_ADDRSTRLEN] = {};
    InterfaceAddress found;
    found.interface = entry->ifa_name;
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address{}, mask{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      std::memcpy(&mask, entry->ifa_netmask, sizeof mask);
      ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
      found.prefix = std::popcount(static_cast<std::uint32_t>(mask.sin_addr.s_addr));
      found.address = text;
      if (found.address.starts_with("169.254.")) continue;
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 address{}, mask{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      std::memcpy(&mask, entry->ifa_netmask, sizeof mask);
      if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) continue;
      ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
      found.prefix = prefix_bits(mask.sin6_addr.s6_addr, sizeof mask.sin6_addr.s6_addr);
      found.address = text;
      found.v6 = true;
    } else {
      continue;
    }
    result.push_back(std::move(found));
  }
  ::freeifaddrs(first);
  return result;
}

void Host::poke(const std::string& address) const {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const sockaddr* target = nullptr;
  socklen_t size = 0;
  constexpr std::uint16_t kDiscard = 9;
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(kDiscard);
    target = reinterpret_cast<const sockaddr*>(&v4);
    size = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(kDiscard);
    target = reinterpret_cast<const sockaddr*>(&v6);
    size = sizeof v6;
  } else {
    return;
  }
  const int fd = ::socket(target->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  (void)::sendto(fd, "", 0, 0, target, size);
  ::close(fd);
}

Platform Host::platform() const {
  return Platform::of_host();
}

std::string Host::hostname() const {
  const auto text = read("/proc/sys/kernel/hostname");
  return text ? to_lower(trim(*text)) : std::string();
}

}  // namespace kbundle
