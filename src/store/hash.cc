#include "store/hash.h"

#include <blake3.h>

#include <algorithm>

namespace wormhole::store {
namespace {

constexpr std::string_view kPartialPrefix = ".wormhole-";
constexpr std::size_t kPartialHashBytes = 16;

Hash finish(blake3_hasher& hasher, Bytes data) {
  blake3_hasher_update(&hasher, data.data(), data.size());
  Hash out;
  blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(out.data()), out.size());
  return out;
}

Hash hash_now(Bytes data) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  return finish(hasher, data);
}

// The library (1.3.1) looks at the CPU in its first call and keeps what it found in a plain
// global: one thread does that while the others wait.
void look_at_the_cpu() { [[maybe_unused]] static const Hash first = hash_now({}); }

}  // namespace

Hash hash(Bytes data) {
  look_at_the_cpu();
  return hash_now(data);
}

Hash keyed_hash(const Hash& key, Bytes data) {
  look_at_the_cpu();
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, reinterpret_cast<const std::uint8_t*>(key.data()));
  return finish(hasher, data);
}

std::uint64_t keyed_name(const Hash& key, Bytes data) {
  return std::max<std::uint64_t>(load_le<std::uint64_t>(keyed_hash(key, data).data()), 1);
}

struct Hasher::State {
  blake3_hasher hasher;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  look_at_the_cpu();
  blake3_hasher_init(&state_->hasher);
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::add(Bytes data) { blake3_hasher_update(&state_->hasher, data.data(), data.size()); }

Hash Hasher::finish() {
  const Hash hash = wormhole::store::finish(state_->hasher, {});
  blake3_hasher_init(&state_->hasher);
  return hash;
}

std::string partial_name(std::string_view final_name) {
  const Hash full = hash(as_bytes(final_name));
  return std::string(kPartialPrefix) + to_hex(Bytes(full).first(kPartialHashBytes));
}

bool is_partial_name(std::string_view name) {
  if (!name.starts_with(kPartialPrefix)) return false;
  const std::string_view digits = name.substr(kPartialPrefix.size());
  return digits.size() == 2 * kPartialHashBytes && std::ranges::all_of(digits, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace wormhole::store
