#include "core/parallel.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace kbundle {

void for_each_parallel(std::size_t count, std::size_t workers,
                       const std::function<void(std::size_t)>& job) {
  std::mutex mutex;
  std::size_t next = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    for (;;) {
      std::size_t index = 0;
      {
        const std::lock_guard guard(mutex);
        if (failure || next >= count) return;
        index = next++;
      }
      try {
        job(index);
      } catch (...) {
        const std::lock_guard guard(mutex);
        if (!failure) failure = std::current_exception();
        return;
      }
    }
  };
  std::vector<std::thread> threads;
  const auto wanted = std::min(count, std::max<std::size_t>(workers, 1));
  try {
    for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(work);
  } catch (const std::system_error&) {
    // A limit of threads was reached: fewer workers do it as well.
  }
  work();  // the calling thread is one of the workers
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace kbundle
