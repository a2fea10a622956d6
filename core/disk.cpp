#include "core/disk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <map>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"

namespace kbundle {

void check_room(const std::vector<DiskNeed>& needs) {
  struct Disk {
    std::uint64_t need = 0;
    std::uint64_t have = 0;
    std::string what;
  };
  std::map<dev_t, Disk> disks;
  for (const DiskNeed& need : needs) {
    if (need.bytes == 0) continue;
    struct stat status {};
    struct statvfs room {};
    if (::stat(need.folder.c_str(), &status) != 0 || ::statvfs(need.folder.c_str(), &room) != 0) {
      throw_errno("look at " + need.folder.string(), errno);
    }
    Disk& disk = disks[status.st_dev];
    disk.need += need.bytes;
    disk.have = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
    disk.what += fmt::format("{}{} in {} ({})", disk.what.empty() ? "" : " and ", need.what,
                             need.folder.string(), human_size(need.bytes));
  }
  for (const auto& [device, disk] : disks) {
    if (disk.have >= disk.need) continue;
    throw Error(ExitCode::disk,
                fmt::format("not enough room for {}: {} needed, {} free", disk.what,
                            human_size(disk.need), human_size(disk.have)),
                "make room, or name another folder; what is there already is kept");
  }
}

void check_writable(const std::filesystem::path& folder) {
  const AtomicFile probe(folder / "probe");  // never committed: its temporary goes again
}

}  // namespace kbundle
