// For tests: one end of a real session that says whatever its script wants.
//
// A Peer holds an authenticated connection and sends messages, frames and raw bytes in any order;
// an EvilHost lets clients in and runs a script for each. No assertions here: the scripts also
// run in a program of the lab, against the real binary. Sending to a victim that has hung up is
// no error: a script goes on and ends when nobody listens.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/block.h"
#include "base/clock.h"
#include "platform/process.h"
#include "session/code_book.h"
#include "session/connection.h"
#include "session/listener.h"
#include "wire/messages.h"

namespace wormhole::transfer::testing {

inline constexpr std::string_view kEvilCode = "4821-marble-anchor-tulip";

class Peer {
 public:
  explicit Peer(std::unique_ptr<session::Connection> connection);

  // --- speaking: false once the other side is gone ---
  bool say(const wire::Message& message, std::uint32_t frame_request = 0);
  // A control frame with any payload.
  bool say_bytes(Bytes payload);
  bool frame(wire::FrameHeader header, Bytes payload);
  bool data(std::uint32_t request, std::uint64_t file, std::uint64_t offset,
            std::string_view bytes);
  bool hole(std::uint32_t request, std::uint64_t file, std::uint64_t offset, std::uint64_t length);
  // One record; `length` is what its header says.
  bool pack(std::uint32_t request, std::uint64_t file, std::uint32_t length,
            std::string_view bytes);
  // In clear.
  bool plain(std::uint32_t request, std::uint64_t file, std::uint64_t offset,
             std::string_view bytes);
  bool end_stream();
  // Past the cipher.
  bool raw(Bytes bytes);
  // The last sealed frame as it left.
  [[nodiscard]] const ByteVector& last_frame() const { return last_frame_; }
  void finish_sending() { connection_->socket.finish_sending(); }
  void hang_up() { connection_->socket.shut_down(); }

  // Greets a host, and puts: from here on a script for who was asked can be played. What the host
  // says of the put is kept, and its last word on it is the end of the connection.
  struct PutAnswers {
    std::map<std::string, wire::FailureCode> failed;
    std::optional<wire::Refused> refused;
    bool is_taken = false;
  };
  void begin_put(const wire::Put& put, const wire::Hello& hello = {.streams_max = 4});
  [[nodiscard]] bool puts() const { return answers_.has_value(); }
  [[nodiscard]] const PutAnswers& put_answers() const { return *answers_; }

  // --- listening: nullopt at the end of the connection ---
  std::optional<wire::FrameHeader> receive();
  [[nodiscard]] Bytes payload() const { return block_.payload(); }
  std::optional<wire::Message> hear();
  // The next message of that kind; others are passed over.
  template <typename T>
  std::optional<T> hear_a() {
    while (auto message = hear()) {
      if (auto* wanted = std::get_if<T>(&*message)) return std::move(*wanted);
    }
    return std::nullopt;
  }
  // Listens until the other side ends the connection.
  void wait_for_end();

  [[nodiscard]] session::Connection& connection() { return *connection_; }

 private:
  // False: it was the last word on what was put.
  bool note(const wire::Message& message);
  // A frame whose payload stands in out_block_.
  bool send(const wire::FrameHeader& header);

  BlockPool pool_{2};
  std::unique_ptr<session::Connection> connection_;
  Block block_;      // what was received
  Block out_block_;  // what is sent
  ByteVector last_frame_;
  std::optional<PutAnswers> answers_;
};

// Lets in whoever has the code (kEvilCode) on loopback, and plays the script to each session in a
// thread of its own.
class EvilHost final : public session::ListenerEvents {
 public:
  using Script = std::function<void(EvilHost& host, Peer& first)>;

  explicit EvilHost(Script script, std::string_view code = kEvilCode);
  ~EvilHost() override;
  EvilHost(const EvilHost&) = delete;
  EvilHost& operator=(const EvilHost&) = delete;

  [[nodiscard]] const platform::Address& address() const { return address_; }
  // The next further stream that any session adds, its Join heard; null at the end.
  std::unique_ptr<Peer> next_stream();

  void on_session(std::unique_ptr<session::Connection> first) override;
  void on_stream(std::unique_ptr<session::Connection> stream) override;
  void on_wrong_code(const platform::Address& /*from*/, unsigned /*left*/) override {}
  void on_code_retired(const session::JoinCode* /*next*/) override {}

 private:
  const Script script_;
  const SystemClock clock_;
  platform::SystemRandom random_;
  session::CodeBook codes_;
  platform::Address address_;
  std::unique_ptr<session::Listener> listener_;

  std::mutex mutex_;
  std::condition_variable stream_came_;
  bool closing_ = false;
  std::deque<std::unique_ptr<session::Connection>> streams_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::thread> scripts_;
  std::thread thread_;
};

}  // namespace wormhole::transfer::testing
