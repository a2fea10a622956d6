// BUNDLE.report.json: what is true of this build and not of the bundle: where bytes came from,
// when, and how long it took.
#pragma once

#include <chrono>
#include <string>

#include "builder/build.hpp"
#include "builder/pack.hpp"
#include "registry/fetcher.hpp"

namespace kbundle {

/// JSON, sorted keys, two spaces.
std::string report_json(const BuildReport& report, const Resolved& resolved, const Fetcher& fetcher,
                        std::chrono::system_clock::time_point started);

}  // namespace kbundle
