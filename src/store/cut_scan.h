// The first cut in a run of bytes, looked for in many places at once: the sum at a byte waits for
// that of the byte before, but stretches further on can be summed meanwhile, as a sum is known from
// the 64 bytes before it alone.
//
// Pure; any thread. Time is linear in the bytes. All kernels find the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "store/cut_rule.h"

namespace wormhole::store {

// One way to sum, fit for some processors.
struct CutKernel {
  const char* name;
  // How many bytes from the front end with the first place where the rule may cut (its least and
  // most bytes do not matter here); nullopt: none does. `gear` is the hash before the bytes and,
  // where none cuts, afterwards that behind them.
  std::optional<std::size_t> (*find)(Bytes data, std::uint64_t& gear, const CutRule& rule);
};

// Those that this processor can run, at least one.
[[nodiscard]] std::span<const CutKernel> cut_kernels();
// The quickest of them, by a trial at its first use.
[[nodiscard]] const CutKernel& quickest_cut_kernel();

}  // namespace wormhole::store
