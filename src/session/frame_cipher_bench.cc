// Sealing and opening one block in place, per suite and library.

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>

#include "base/block.h"
#include "session/frame_cipher.h"

namespace wormhole::session {
namespace {

TrafficSecret secret() {
  constexpr std::array<std::byte, kTrafficSecretBytes> kBytes{};
  return TrafficSecret(kBytes);
}

void seal(benchmark::State& state, Suite suite, CipherLibrary library) {
  auto sealer = make_sealer(suite, secret(), library);
  if (!sealer) return state.SkipWithError("not available here");
  BlockPool pool(1);
  const Block block = pool.acquire();
  const MutableBytes frame = block.around(32, kBlockBytes, kTagBytes);
  for (auto _ : state) {
    const auto sealed = (*sealer)->seal(frame.first(32), block.payload(), frame.last<kTagBytes>());
    if (!sealed) return state.SkipWithError("failed");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlockBytes));
}

// An opener takes each frame once, so every round opens a frame sealed ahead; a ring of them
// would fall out of L2. Sealing is timed out.
void open(benchmark::State& state, Suite suite, CipherLibrary library) {
  auto sealer = make_sealer(suite, secret(), library);
  auto opener = make_opener(suite, secret(), library);
  if (!sealer || !opener) return state.SkipWithError("not available here");
  BlockPool pool(1);
  const Block block = pool.acquire();
  const MutableBytes frame = block.around(32, kBlockBytes, kTagBytes);
  for (auto _ : state) {
    const auto sealed = (*sealer)->seal(frame.first(32), block.payload(), frame.last<kTagBytes>());
    const auto start = std::chrono::steady_clock::now();
    const auto opened = (*opener)->open(frame.first(32), block.payload(), frame.last<kTagBytes>());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!sealed || !opened) return state.SkipWithError("failed");
    state.SetIterationTime(took.count());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlockBytes));
}

BENCHMARK_CAPTURE(seal, aes_256_gcm_ipsec_mb, Suite::kAes256Gcm, CipherLibrary::kIpsecMb);
BENCHMARK_CAPTURE(seal, aes_256_gcm_openssl, Suite::kAes256Gcm, CipherLibrary::kOpenSsl);
BENCHMARK_CAPTURE(seal, chacha20_poly1305_openssl, Suite::kChaCha20Poly1305,
                  CipherLibrary::kOpenSsl);
BENCHMARK_CAPTURE(open, aes_256_gcm_ipsec_mb, Suite::kAes256Gcm, CipherLibrary::kIpsecMb)
    ->UseManualTime();
BENCHMARK_CAPTURE(open, aes_256_gcm_openssl, Suite::kAes256Gcm, CipherLibrary::kOpenSsl)
    ->UseManualTime();
BENCHMARK_CAPTURE(open, chacha20_poly1305_openssl, Suite::kChaCha20Poly1305,
                  CipherLibrary::kOpenSsl)
    ->UseManualTime();

}  // namespace
}  // namespace wormhole::session
