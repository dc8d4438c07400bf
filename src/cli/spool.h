// put -: standard input as a file, which has a length that can be told and can be read once more
// after a lost link.
//
// One thread. It stands in a directory of its own beside the index, both gone with the value; after
// kill -9 they stay.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace wormhole::cli {

class Spool {
 public:
  // Reads it to its end. `stop`: descriptor of a signal that ends that (kInterrupted).
  [[nodiscard]] static Result<Spool> read(const std::string& name, int stop);
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();

  // All that it needs to write to lies below that.
  [[nodiscard]] static std::optional<std::string> place();
  [[nodiscard]] std::string path() const { return directory_ + "/" + name_; }

 private:
  Spool(std::string directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}

  std::string directory_;  // empty: moved from
  std::string name_;
};

}  // namespace wormhole::cli
