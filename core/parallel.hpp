// A few jobs at once; the first failure stops the rest and is thrown on.
#pragma once

#include <cstddef>
#include <functional>

namespace kbundle {

/// Runs job(0) … job(count - 1), at most `workers` at a time, in rising order of start.
/// After a job threw, no further one is started; the first exception is rethrown when all ended.
void for_each_parallel(std::size_t count, std::size_t workers,
                       const std::function<void(std::size_t)>& job);

}  // namespace kbundle
