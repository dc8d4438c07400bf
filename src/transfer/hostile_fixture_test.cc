#include "transfer/hostile_fixture.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/check.h"
#include "base/content_testing.h"
#include "session/dialler.h"

namespace wormhole::transfer::testing {
namespace {

namespace fs = std::filesystem;

session::JoinCode evil_code() {
  auto code = session::JoinCode::parse(kEvilCode);
  WH_CHECK(code.has_value());
  return *code;
}

Shares share(const std::vector<std::string>& paths) {
  auto shares = Shares::open(paths);
  WH_CHECK(shares.has_value());
  return std::move(*shares);
}

}  // namespace

std::map<std::string, std::string> tree_of(const fs::path& root) {
  std::map<std::string, std::string> tree;
  if (!fs::exists(root)) return tree;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = entry.path().lexically_relative(root).string();
    if (entry.is_symlink()) {
      tree[path] = "-> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_directory()) {
      tree[path + "/"] = "";
    } else {
      tree[path] = wormhole::testing::content_of(entry.path());
    }
  }
  return tree;
}

const std::string& outside() {
  static const platform::TestDirectory directory;
  static const std::string path = [] {
    directory.write("precious", "precious");
    return directory.path().string();
  }();
  return path;
}

Victim::Victim(const platform::Address& address, ClientOptions options)
    : client_(clock_, random_, pool_, options) {
  const auto connected = client_.connect({address}, evil_code());
  EXPECT_TRUE(connected.has_value());
}

Result<void> Victim::get(const std::string& destination, const std::string& path, bool overwrite,
                         wire::Keeps keeps) {
  TakeOptions options{.destination = {destination}, .overwrite = overwrite};
  options.keeps = keeps;
  options.may_have = may_have(options.destination, path);
  return client_.get(path, std::move(options), failures_, counters_);
}

Result<void> Victim::list() {
  return client_.list(
      "", /*recursive=*/true, /*selection=*/{}, [](const Listing&) { return Result<void>(); },
      [this](const Error& error) { failures_.on_failed(error.object, error); });
}

Result<void> Victim::put(const wire::Put& put) {
  return client_.put(put, failures_, counters_,
                     [](const wire::Planned&) { return Result<void>(); });
}

namespace {
const store::UserSecret kHostSecret{store::Hash{std::byte{1}}};
}  // namespace

HonestHost::HonestHost(const std::vector<std::string>& paths, const HostOptions& options)
    : codes_(evil_code(), random_, clock_), shares_(share(paths)) {
  auto socket = platform::ListenSocket::open("127.0.0.1", 0);
  WH_CHECK(socket.has_value());
  address_ = socket->local();
  listener_ =
      std::make_unique<session::Listener>(std::move(*socket), codes_, *this, clock_, random_);
  host_ = std::make_unique<Host>(shares_, pool_, clock_, kHostSecret, options, *this,
                                 [this](const session::SessionId& id) { listener_->forget(id); });
  thread_ = std::thread([this] { EXPECT_TRUE(listener_->run().has_value()); });
}

HonestHost::~HonestHost() {
  listener_->stop();
  thread_.join();
  host_.reset();
}

Result<void> HonestHost::next_ending() {
  auto ending = endings_.pop();
  WH_CHECK(ending.has_value());
  return *ending;
}

std::unique_ptr<Peer> HonestHost::join() {
  auto connection = session::Dialler(clock_, random_).join({address_}, evil_code());
  WH_CHECK(connection.has_value());
  return std::make_unique<Peer>(std::move(*connection));
}

std::unique_ptr<Peer> HonestHost::add_stream(Peer& first, unsigned number) {
  auto connection = session::Dialler(clock_, random_).add_stream(first.connection(), number);
  WH_CHECK(connection.has_value());
  return std::make_unique<Peer>(std::move(*connection));
}

}  // namespace wormhole::transfer::testing
