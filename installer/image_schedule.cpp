#include "installer/image_schedule.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace kbundle {

ImageSchedule::ImageSchedule(std::vector<Item> items, std::set<Digest> present)
    : items_(std::move(items)), waiting_(items_.size()), present_(std::move(present)) {
  std::iota(waiting_.begin(), waiting_.end(), std::size_t{0});
  std::stable_sort(waiting_.begin(), waiting_.end(), [this](std::size_t a, std::size_t b) {
    return items_[a].size > items_[b].size;
  });
}

std::optional<std::size_t> ImageSchedule::start() {
  const auto free = [this](std::size_t item) {
    const auto& layers = items_[item].layers;
    return std::none_of(layers.begin(), layers.end(), [this](const Digest& layer) {
      return under_way_.contains(layer) && !present_.contains(layer);
    });
  };
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), free);
  if (found == waiting_.end()) return {};
  const std::size_t item = *found;
  waiting_.erase(found);
  under_way_.insert(items_[item].layers.begin(), items_[item].layers.end());
  return item;
}

void ImageSchedule::finish(std::size_t item) {
  present_.insert(items_[item].layers.begin(), items_[item].layers.end());
}

}  // namespace kbundle
