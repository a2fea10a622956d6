// The append-only record of an install: /var/lib/kbundle/journal. One record a line,
//   <CRC-32 of the JSON, 8 hex digits> <length of the JSON in bytes> <JSON>\n
// fsynced one by one. A torn tail is cut. The journal is a memory of what was meant; whether it is
// so, phases ask the host. No token or key enters it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"
#include "core/json.hpp"

namespace kbundle {

inline constexpr int kJournalVersion = 1;

/// CRC-32 as zlib and IEEE 802.3 have it.
std::uint32_t crc32(std::string_view bytes);

/// The plan: everything that must be the same when an install is resumed.
struct PlanRecord {
  std::string action = "install";  ///< or "upgrade"
  std::string bundle;              ///< id
  std::string line;                ///< of the bundle
  std::uint64_t serial = 0;
  std::string kubernetes_version;
  std::string role;
  std::string root;
  std::string config_digest;        ///< of the user's kubeadm documents; empty without
  Json overrides = Json::object();  ///< options by name, without secrets
  bool unsigned_bundle = false;

  /// What differs, for people: "node-ip: 10.0.0.1 before, 10.0.0.2 now". Empty: the same plan.
  std::vector<std::string> differences(const PlanRecord& now) const;
};

class Journal {
 public:
  /// Reads what is there without changing it (for plans and preflight). Absence is an empty one.
  static Journal look(const std::filesystem::path& file);
  /// Opens for appending; cuts a torn tail. Error{preflight} for a newer version.
  static Journal open(const std::filesystem::path& file);

  bool has_plan() const { return has_plan_; }
  const PlanRecord& plan() const { return plan_; }
  /// Whether any phase was begun under the plan.
  bool started() const { return !begun_.empty(); }
  bool begun(const std::string& phase) const { return begun_.contains(phase); }
  bool ended(const std::string& phase) const { return ended_.contains(phase); }
  bool complete() const { return complete_; }
  /// Whether the plan came to its end once, whatever was begun again since.
  bool was_complete() const { return was_complete_; }
  const std::string& last_phase() const { return last_phase_; }  ///< begun last; empty: none yet
  bool was_torn() const { return torn_; }
  /// What was there before a first touch (installer/undo.hpp), oldest first. Plans do not end them.
  const std::vector<Json>& undo_records() const { return undo_; }
  /// A reset was begun: nothing else may be done with this host before it has ended.
  bool resetting() const { return resetting_; }
  /// A step of a reset that must not be tried again, because the host no longer tells of it.
  bool reset_did(const std::string& step) const { return reset_did_.contains(step); }

  void write_plan(const PlanRecord& plan);
  void begin(const std::string& phase);
  void end(const std::string& phase, std::int64_t milliseconds);
  void fail(const std::string& phase, int exit_code);
  void finish();  ///< every phase is done
  void write_undo(Json record);
  void begin_reset();
  void reset_done(const std::string& step);

 private:
  Journal() = default;
  void load(const std::filesystem::path& file);
  void apply(const Json& record);
  void append(const Json& record);

  std::filesystem::path file_;
  UniqueFd fd_;
  std::uint64_t good_size_ = 0;
  bool torn_ = false;
  bool has_plan_ = false;
  bool complete_ = false;
  bool was_complete_ = false;
  std::string last_phase_;
  PlanRecord plan_;
  std::set<std::string> begun_, ended_;
  std::vector<Json> undo_;
  bool resetting_ = false;
  std::set<std::string> reset_did_;
};

}  // namespace kbundle
