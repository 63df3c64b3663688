// Files that are mapped and live on when the process ends.
//
// For the main thread, before workers run. The folder should be in hugetlbfs or tmpfs.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace nezu::flow {

/// A new file of at least `bytes` zeros. All its pages are taken now: later there would be a signal
/// instead of an error. Empty: `error` says why in a sentence that ends with `advice`.
std::span<std::byte> map_new(const std::string& path, size_t bytes, const std::string& advice,
                             std::string& error);
/// A whole file that is there; empty: none, or it cannot be mapped.
std::span<std::byte> map_existing(const std::string& path);
void unmap(std::span<std::byte> memory);

}  // namespace nezu::flow
