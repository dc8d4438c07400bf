// Attacks by data: ranges, packs, holes, unencrypted frames, messages and streams.
#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/units.h"
#include "transfer/hostile_attacks.h"
#include "wire/compressed.h"
#include "wire/frame_header.h"

namespace wormhole::transfer::testing {
namespace {

using wire::Entry;
using wire::FrameType;

const std::map<std::string, std::string> kOk = {{"ok", std::string(kOkContent)}};

// Enough for the client to add streams.
constexpr std::uint64_t kLargeBytes = 5 * kMiB;
constexpr std::uint64_t kHeldBytes = 64 * kKiB;

std::string large_content() {
  std::string content(kLargeBytes, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 >> 3);
  return content;
}

void send_range(Peer& peer, std::uint32_t request, std::uint64_t id, const std::string& content,
                std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t at = from; at < to; at += kBlockBytes) {
    const std::uint64_t length = std::min<std::uint64_t>(kBlockBytes, to - at);
    peer.data(request, id, at, std::string_view(content).substr(at, length));
  }
}

struct Collected {
  std::vector<Attack> attacks;
  // A kProtocol attack after a good beginning.
  void add(std::string name, std::string says, Talking talking,
           std::map<std::string, std::string> arrives = kOk, Code code = Code::kProtocol) {
    attacks.push_back({.name = std::move(name),
                       .ends = code,
                       .says = std::move(says),
                       .arrives = std::move(arrives),
                       .script = answer([talking = std::move(talking)](Talk& talk) {
                         talk.begin_well();
                         talking(talk);
                       })});
  }
};

ByteVector raw_header(std::uint32_t payload, std::uint8_t type, std::uint8_t flags = 0,
                      std::uint16_t reserved = 0, std::uint64_t offset = 0) {
  ByteVector header(wire::kFrameHeaderBytes);
  store_le(header.data(), payload);
  store_le(header.data() + 4, type);
  store_le(header.data() + 5, flags);
  store_le(header.data() + 6, reserved);
  store_le(header.data() + 24, offset);
  return header;
}

// Announces a file of ten bytes as entry 2 and then does wrong by its data.
Talking about_ten_bytes(Talking talking) {
  return [talking = std::move(talking)](Talk& talk) {
    talk.entries(2, {file(0, "x", 10)});
    talking(talk);
  };
}

Talking begin_many(bool by_holes) {
  return [by_holes](Talk& talk) {
    std::vector<Entry> many;
    for (std::size_t i = 0; i <= kOpenPartialsMax; ++i) {
      many.push_back(sparse(0, "f" + std::to_string(i), 2));
    }
    const std::uint64_t count = many.size();
    talk.entries(2, std::move(many));
    for (std::uint64_t i = 0; i < count; ++i) {
      if (by_holes) {
        talk.first.hole(talk.request, 2 + i, 0, 1);
      } else {
        talk.first.data(talk.request, 2 + i, 0, "x");
      }
    }
  };
}

void add_ranges(Collected& all) {
  all.add("data-outside", "outside",
          about_ten_bytes([](Talk& talk) { talk.first.data(talk.request, 2, 10, "x"); }));
  all.add("data-past-the-end", "outside",
          about_ten_bytes([](Talk& talk) { talk.first.data(talk.request, 2, 8, "xyz"); }));
  all.add("data-at-the-far-end", "outside", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, kFileMaxBytes, "x");
          }));
  all.add("data-empty", "outside",
          about_ten_bytes([](Talk& talk) { talk.first.data(talk.request, 2, 3, ""); }));
  all.add("data-twice", "twice", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 2, "xyz");
            talk.first.data(talk.request, 2, 2, "xyz");
          }));
  all.add("data-overlapping", "twice", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 2, "xyz");
            talk.first.data(talk.request, 2, 0, "abc");
          }));
  all.add("data-after-completion", "twice",
          [](Talk& talk) { talk.first.data(talk.request, 1, 0, kOkContent); });
  all.add("data-scattered", "scattered", [](Talk& talk) {
    talk.entries(2, {file(0, "x", 10'000)});
    for (std::uint64_t i = 0; i < 2000; ++i) talk.first.data(talk.request, 2, 2 * i, "x");
  });
  all.add("begun-too-many", "too many files", begin_many(false));
  all.add("begun-too-many-by-holes", "too many files", begin_many(true));
}

void add_wrong_files(Collected& all) {
  all.add("data-unannounced", "not announced",
          [](Talk& talk) { talk.first.data(talk.request, 2, 0, "x"); });
  all.add("data-of-a-directory", "not asked for",
          [](Talk& talk) { talk.first.data(talk.request, 0, 0, "x"); });
  all.add("data-of-a-link", "not asked for",
          [](Talk& talk) {
            talk.entries(2, {link(0, "l", "ok")});
            talk.first.data(talk.request, 2, 0, "x");
          },
          {{"ok", std::string(kOkContent)}, {"l", "-> ok"}});
  all.add("data-of-an-empty-file", "not asked for",
          [](Talk& talk) {
            talk.entries(2, {file(0, "e", 0)});
            talk.first.data(talk.request, 2, 0, "x");
          },
          {{"ok", std::string(kOkContent)}, {"e", ""}});
  all.add("data-of-another-request", "no request", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request + 1, 2, 0, "0123456789");
          }));
  all.add("data-of-no-request", "no request",
          about_ten_bytes([](Talk& talk) { talk.first.data(0, 2, 0, "0123456789"); }));
  all.add("data-of-the-largest-id", "not announced",
          [](Talk& talk) { talk.first.data(talk.request, wire::kNoEntry, 0, "x"); });
}

void add_packs(Collected& all) {
  all.add("pack-longer", "as long as announced",
          about_ten_bytes([](Talk& talk) { talk.first.pack(talk.request, 2, 11, "0123456789a"); }));
  all.add("pack-shorter", "as long as announced",
          about_ten_bytes([](Talk& talk) { talk.first.pack(talk.request, 2, 9, "012345678"); }));
  all.add("pack-empty-record", "as long as announced",
          about_ten_bytes([](Talk& talk) { talk.first.pack(talk.request, 2, 0, ""); }));
  all.add("pack-of-a-large-file", "as long as announced", [](Talk& talk) {
    talk.entries(2, {file(0, "x", kLargeBytes)});
    talk.first.pack(talk.request, 2, 10, "0123456789");
  });
  all.add("pack-record-over-the-limit", "too long", [](Talk& talk) {
    const std::string large(kPackedFileMaxBytes + 1, 'x');
    talk.entries(2, {file(0, "x", large.size())});
    talk.first.pack(talk.request, 2, static_cast<std::uint32_t>(large.size()), large);
  });
  all.add("pack-cut-off", "cut off",
          about_ten_bytes([](Talk& talk) { talk.first.pack(talk.request, 2, 10, "01234"); }));
  all.add("pack-half-a-record", "cut off", about_ten_bytes([](Talk& talk) {
            talk.first.frame(
                {.payload_bytes = 0, .type = FrameType::kPack, .request = talk.request},
                as_bytes("short"));
          }));
  all.add("pack-unannounced", "not announced",
          [](Talk& talk) { talk.first.pack(talk.request, 2, 1, "x"); });
  all.add("pack-twice", "twice",
          [](Talk& talk) { talk.first.pack(talk.request, 1, kOkContent.size(), kOkContent); });
}

void add_holes(Collected& all) {
  const auto hole = [&](std::string name, std::string says, std::uint64_t offset,
                        std::uint64_t length) {
    all.add(std::move(name), std::move(says), [=](Talk& talk) {
      talk.entries(2, {sparse(0, "x", 10)});
      talk.first.hole(talk.request, 2, offset, length);
    });
  };
  hole("hole-overflowing", "outside", 5, UINT64_MAX);
  hole("hole-wrapping", "outside", 5, UINT64_MAX - 4);
  hole("hole-empty", "outside", 0, 0);
  hole("hole-larger-than-the-file", "outside", 0, 11);
  hole("hole-past-the-end", "outside", 9, 2);
  all.add("hole-in-a-dense-file", "hole", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 0, "01234");
            talk.first.hole(talk.request, 2, 5, 5);
          }));
}

}  // namespace

std::vector<Attack> data_attacks() {
  Collected all;
  add_ranges(all);
  add_wrong_files(all);
  add_packs(all);
  add_holes(all);
  // What is whole stands; what was half there does not.
  all.add("end-halfway", "", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 0, "01234");
            talk.first.finish_sending();
          }),
          kOk, Code::kLost);
  all.add("end-inside-a-frame", "", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 0, "01234");
            talk.first.raw(Bytes(talk.first.last_frame()).first(40));
            talk.first.finish_sending();
          }),
          kOk, Code::kLost);
  all.add("frame-replayed", "", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 0, "01234");
            const ByteVector frame = talk.first.last_frame();
            talk.first.raw(frame);
          }),
          kOk, Code::kLost);
  return std::move(all.attacks);
}

std::vector<Attack> compressed_attacks() {
  // An LZ4 block of one literal "x" repeated: a match of length 4 + 15 + 255 * (count - 1) + last.
  const auto many = [](std::size_t count) {
    ByteVector block{std::byte{0x1f}, std::byte{'x'}, std::byte{1}, std::byte{0}};
    block.insert(block.end(), count, std::byte{255});
    block.push_back(std::byte{0});
    // The last five bytes of a block are literals.
    block.push_back(std::byte{0x50});
    block.insert(block.end(), 5, std::byte{'x'});
    return block;
  };
  const auto send = [](Talk& talk, std::uint8_t codec, std::uint8_t type, std::uint32_t plain_bytes,
                       const ByteVector& compressed, std::uint64_t id = 2) {
    ByteVector payload(wire::kCompressedHeaderBytes);
    payload[0] = std::byte(codec);
    payload[1] = std::byte(type);
    store_le(payload.data() + 4, plain_bytes);
    payload.insert(payload.end(), compressed.begin(), compressed.end());
    talk.first.frame({.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                      .type = FrameType::kCompressed,
                      .request = talk.request,
                      .file = id},
                     payload);
  };
  std::vector<Attack> attacks;
  const auto add = [&](std::string name, std::string says, Talking talking, bool expands = true) {
    attacks.push_back(
        {.name = "compressed-" + std::move(name),
         .victim_expands = expands,
         .says = std::move(says),
         .arrives = kOk,
         .script = answer([talking = about_ten_bytes(std::move(talking))](Talk& talk) {
           talk.begin_well();
           talking(talk);
         })});
  };
  const ByteVector ten = {std::byte{0xa0}, std::byte{'0'}, std::byte{'1'}, std::byte{'2'},
                          std::byte{'3'},  std::byte{'4'}, std::byte{'5'}, std::byte{'6'},
                          std::byte{'7'},  std::byte{'8'}, std::byte{'9'}};
  add("not-asked-for", "not asked for", [=](Talk& talk) { send(talk, 1, 2, 10, ten); }, false);
  add("bomb", "not as long as declared", [=](Talk& talk) { send(talk, 1, 2, 10, many(1000)); });
  add("bomb-declared", "outside",
      [=](Talk& talk) { send(talk, 1, 2, 1 + 19 + 255 * 1000 + 5, many(1000)); });
  add("bomb-past-a-block", "not as long as declared",
      [=](Talk& talk) { send(talk, 1, 2, kBlockBytes, many(100'000)); });
  add("declared-too-long", "out of bounds",
      [=](Talk& talk) { send(talk, 1, 2, kBlockBytes + 1, ten); });
  add("declared-nothing", "out of bounds", [=](Talk& talk) { send(talk, 1, 2, 0, ten); });
  add("short", "not as long as declared", [=](Talk& talk) { send(talk, 1, 2, 11, ten); });
  add("noise", "damaged", [=](Talk& talk) { send(talk, 2, 2, 10, ten); });
  // A frame of one raw block (RFC 8878 section 3.1.1).
  ByteVector frame = {std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f},
                      std::byte{0xfd}, std::byte{0x20}, std::byte{10},
                      std::byte{0x51}, std::byte{0},    std::byte{0}};
  frame.insert(frame.end(), ten.begin() + 1, ten.end());
  const auto with = [](ByteVector first, const ByteVector& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  };
  add("two-frames", "damaged", [=](Talk& talk) { send(talk, 2, 2, 20, with(frame, frame)); });
  add("skippable-frame", "damaged", [=](Talk& talk) {
    const ByteVector skippable = {std::byte{0x50}, std::byte{0x2a}, std::byte{0x4d},
                                  std::byte{0x18}, std::byte{1},    std::byte{0},
                                  std::byte{0},    std::byte{0},    std::byte{7}};
    send(talk, 2, 2, 10, with(skippable, frame));
  });
  add("frame-of-a-version-before-the-standard", "damaged", [=](Talk& talk) {
    ByteVector old = frame;
    old[0] = std::byte{0x27};  // 0.7
    send(talk, 2, 2, 10, old);
  });
  add("unknown-codec", "unknown codec", [=](Talk& talk) { send(talk, 3, 2, 10, ten); });
  add("control", "never compressed", [=](Talk& talk) { send(talk, 1, 1, 10, ten); });
  add("compressed-again", "never compressed", [=](Talk& talk) { send(talk, 1, 8, 10, ten); });
  add("hole", "never compressed", [=](Talk& talk) { send(talk, 1, 4, 8, ten); });
  add("twice", "twice", [=](Talk& talk) {
    send(talk, 1, 2, 5, {std::byte{0x50}, ten[1], ten[2], ten[3], ten[4], ten[5]});
    send(talk, 1, 2, 5, {std::byte{0x50}, ten[1], ten[2], ten[3], ten[4], ten[5]});
  });
  // Nothing wrong: it arrives, and so do the scripts above.
  attacks.push_back(
      {.name = "compressed-well",
       .ends = std::nullopt,
       .arrives = {{"ok", std::string(kOkContent)}, {"x", "0123456789"}, {"y", "0123456789"}},
       .script = answer([=](Talk& talk) {
         talk.begin_well();
         talk.entries(2, {file(0, "x", 10)});
         send(talk, 1, 2, 10, ten);
         talk.entries(3, {file(0, "y", 10)});
         send(talk, 2, 2, 10, frame, 3);
         talk.end_well(4);
       })});
  return attacks;
}

std::vector<Attack> plain_attacks() {
  std::vector<Attack> attacks;
  const auto add = [&](std::string name, bool victim, bool host, std::string says,
                       Talking talking) {
    attacks.push_back({.name = "plain-" + std::move(name),
                       .victim_is_plain = victim,
                       .says = std::move(says),
                       .arrives = kOk,
                       .script = answer(
                           [talking = about_ten_bytes(std::move(talking))](Talk& talk) {
                             talk.begin_well();
                             talking(talk);
                           },
                           {.streams_max = 4, .unencrypted = host})});
  };
  const auto whole = [](Talk& talk) { talk.first.plain(talk.request, 2, 0, "0123456789"); };
  add("not-asked-for", false, true, "not asked for", whole);
  add("not-offered", true, false, "not asked for", whole);
  add("outside", true, true, "outside",
      [](Talk& talk) { talk.first.plain(talk.request, 2, 5, "0123456789"); });
  add("twice", true, true, "twice", [](Talk& talk) {
    talk.first.plain(talk.request, 2, 0, "01234");
    talk.first.plain(talk.request, 2, 0, "01234");
  });
  add("of-another-request", true, true, "no request",
      [](Talk& talk) { talk.first.plain(talk.request + 1, 2, 0, "0123456789"); });
  return attacks;
}

namespace {

void add_unexpected(Collected& all) {
  const std::vector<wire::Message> from_a_host = {wire::Join{1},
                                                  wire::EndStream{1},
                                                  wire::Get{9, "", false, 1},
                                                  wire::Again{1, 1, 0, 1},
                                                  wire::List{9, "", true, 1},
                                                  wire::Want{1, {1}, 1},
                                                  wire::Credit{1, 1},
                                                  wire::Cancel{1},
                                                  wire::WantChunks{1, {1}},
                                                  wire::WantFineChunks{1, 1, {{0, 1}}},
                                                  wire::WantRanges{1, 1, {{0, 1}}},
                                                  wire::Bye{}};
  for (const auto& message : from_a_host) {
    const std::string name(wire::message_name(message));
    all.add("message-" + name, "unexpected message " + name,
            [message](Talk& talk) { talk.first.say(message); });
  }
  all.add("hello-twice", "Hello", [](Talk& talk) { talk.first.say(wire::Hello{}); });
  all.add("entries-of-another-request", "no request", [](Talk& talk) {
    talk.first.say(wire::Entries{talk.request + 1, 2, {file(0, "x", 1)}});
  });
  all.add("listed-of-another-request", "no request",
          [](Talk& talk) { talk.first.say(wire::Listed{talk.request + 1, 2}); });
  all.add("failed-of-another-request", "no request", [](Talk& talk) {
    talk.first.say(wire::Failed{.request = talk.request + 1, .has_file = true, .file = 1});
  });
  all.add("chunks-not-asked-for", "not asked for", [](Talk& talk) {
    talk.first.say(wire::Chunks{talk.request, 1, 0, {{kChunkMinBytes, {}}}});
  });
  all.add("fine-chunks-not-asked-for", "not asked for", [](Talk& talk) {
    talk.first.say(wire::FineChunks{talk.request, 1, 0, {{kFineChunkMinBytes, {}}}});
  });
  all.add("fine-chunks-of-another-request", "no request", [](Talk& talk) {
    talk.first.say(wire::FineChunks{talk.request + 1, 1, 0, {{kFineChunkMinBytes, {}}}});
  });
  all.add("chunks-of-another-request", "no request", [](Talk& talk) {
    talk.first.say(wire::Chunks{talk.request + 1, 1, 0, {{kChunkMinBytes, {}}}});
  });
  all.add("refused-of-another-request", "no request", [](Talk& talk) {
    talk.first.say(wire::Refused{talk.request + 1, wire::FailureCode::kIo, "no"});
  });
  all.add("failed-unannounced", "not announced", [](Talk& talk) {
    talk.first.say(wire::Failed{.request = talk.request, .has_file = true, .file = 99});
  });
  all.add("refused-halfway", "no more", about_ten_bytes([](Talk& talk) {
            talk.first.data(talk.request, 2, 0, "01234");
            talk.first.say(wire::Refused{talk.request, wire::FailureCode::kIo, "no more"});
          }),
          kOk, Code::kRemoteIo);
}

void add_malformed(Collected& all) {
  const auto payload = [&](std::string name, std::string says, ByteVector bytes) {
    all.add(std::move(name), std::move(says),
            [bytes = std::move(bytes)](Talk& talk) { talk.first.say_bytes(bytes); });
  };
  const auto header = [&](std::string name, std::string says, ByteVector bytes) {
    // The path may have made it so: no tag has vouched for it yet.
    all.add(
        std::move(name), std::move(says),
        [bytes = std::move(bytes)](Talk& talk) {
          talk.first.raw(bytes);
          talk.first.raw(ByteVector(wire::kFrameTagBytes));
        },
        kOk, Code::kLost);
  };
  payload("message-empty", "malformed", {});
  payload("message-zeros", "malformed", ByteVector(100));
  payload("message-ones", "malformed", ByteVector(100, std::byte{0xff}));
  payload("message-too-long", "longer", ByteVector(wire::kMessageMaxBytes + 1));
  ByteVector unknown(256);
  const auto size = wire::encode(wire::Ping{}, unknown);
  unknown.resize(size.value_or(0));
  // The union's tag is the only byte of that value: Ping is member 14 of the schema.
  std::ranges::replace(unknown, std::byte{14}, std::byte{200});
  payload("message-of-unknown-kind", "unknown kind", std::move(unknown));

  all.add("entry-of-unknown-type", "unknown type", [](Talk& talk) {
    Entry entry = file(0, "x", 1);
    entry.type = static_cast<wire::EntryType>(9);
    talk.entries(2, {entry});
  });
  all.add("failed-with-unknown-code", "unknown failure", [](Talk& talk) {
    talk.first.say(wire::Failed{.request = talk.request,
                                .has_file = true,
                                .file = 1,
                                .code = static_cast<wire::FailureCode>(77)});
  });
  all.add("entries-none", "empty", [](Talk& talk) { talk.entries(2, {}); });
  all.add("entries-id-overflow", "overflows",
          [](Talk& talk) { talk.entries(wire::kNoEntry - 1, {file(0, "x", 1)}); });

  header("frame-of-unknown-type", "unknown frame type", raw_header(0, 99));
  header("frame-with-unknown-flags", "unknown flags", raw_header(0, 1, 0x80));
  header("frame-with-reserved-bits", "reserved", raw_header(0, 1, 0, 1));
  header("frame-over-the-limit", "payload size",
         raw_header(static_cast<std::uint32_t>(wire::kFramePayloadMaxBytes + 1), 2));
  header("frame-of-the-largest-size", "payload size", raw_header(UINT32_MAX, 2));
  header("frame-hole-without-length", "payload size", raw_header(0, 4));
  header("frame-past-the-largest-file", "offset", raw_header(1, 2, 0, 0, kFileMaxBytes + 1));
  all.add(
      "frame-unsealed", "",
      [](Talk& talk) {
        talk.first.raw(raw_header(0, 1));
        talk.first.raw(ByteVector(wire::kFrameTagBytes));
      },
      kOk, Code::kLost);
}

}  // namespace

std::vector<Attack> message_attacks() {
  Collected all;
  add_unexpected(all);
  add_malformed(all);
  all.attacks.push_back({.name = "hello-of-another-version",
                         .ends = Code::kVersion,
                         .says = "version",
                         .script = answer([](Talk& talk) { talk.begin_well(); },
                                          {.version = wire::kProtocolVersion + 1})});
  all.attacks.push_back(
      {.name = "hello-with-too-many-streams",
       .says = "streams",
       .script = answer([](Talk& talk) { talk.begin_well(); }, {.streams_max = kStreamsMax})});
  all.attacks.push_back(
      {.name = "nothing-like-hello", .says = "Hello", .script = [](EvilHost& host, Peer& first) {
         const auto get = first.hear_a<wire::Get>();
         if (!get.has_value()) return;
         Talk talk{host, first, get->request};
         talk.begin_well();
         talk.end_well(2);
         first.wait_for_end();
       }});
  all.attacks.push_back(
      {.name = "failures-of-strange-names",
       .ends = std::nullopt,
       .fails = {{"../../x", Code::kRemoteIo}, {"\x1b[2J", Code::kRemoteIo}},
       .arrives = kOk,
       .script = answer([](Talk& talk) {
         talk.begin_well();
         for (const std::string name : {"../../x", "\x1b[2J"}) {
           talk.first.say(wire::Failed{.request = talk.request, .name = name, .reason = "\x1b[1m"});
         }
         // One that is whole already: nothing to fail any more.
         talk.first.say(wire::Failed{.request = talk.request, .has_file = true, .file = 1});
         talk.end_well(2);
       })});
  return std::move(all.attacks);
}

std::vector<Attack> stream_attacks() {
  Collected all;
  // A large file, and a further stream for it.
  const auto add = [&](std::string name, std::string says, Code code,
                       std::function<void(Talk&, Peer & stream)> on_stream) {
    all.add(
        "stream-" + std::move(name), std::move(says),
        [on_stream = std::move(on_stream)](Talk& talk) {
          talk.entries(2, {file(0, "large", kLargeBytes)});
          if (const auto stream = talk.host.next_stream()) on_stream(talk, *stream);
          talk.first.wait_for_end();
        },
        kOk, code);
  };
  add("end-halfway", "", Code::kLost, [](Talk& talk, Peer& stream) {
    stream.data(talk.request, 2, 0, "01234");
    stream.hang_up();
  });
  add("fin-halfway", "", Code::kLost, [](Talk& talk, Peer& stream) {
    stream.data(talk.request, 2, 0, "01234");
    stream.finish_sending();
    talk.first.wait_for_end();
  });
  // What was on its way on it would be missed by nobody.
  add("lost-before-its-first-frame", "", Code::kLost, [](Talk& talk, Peer& stream) {
    stream.hang_up();
    talk.first.wait_for_end();
  });
  add("bytes-after-its-end", "after the last frame", Code::kLost, [](Talk& talk, Peer& stream) {
    stream.data(talk.request, 2, 0, "01234");
    stream.end_stream();
    stream.raw(ByteVector(1));
    talk.first.wait_for_end();
  });
  add("frame-of-another-stream", "", Code::kLost, [](Talk& talk, Peer& stream) {
    talk.first.data(talk.request, 2, 0, "01234");
    stream.raw(talk.first.last_frame());
    talk.first.wait_for_end();
  });
  add("range-twice", "twice", Code::kProtocol, [](Talk& talk, Peer& stream) {
    talk.first.data(talk.request, 2, 0, "01234");
    stream.data(talk.request, 2, 4, "45");
    talk.first.wait_for_end();
  });
  const std::vector<std::pair<std::string, wire::Message>> strange = {
      {"hello", wire::Hello{}},
      {"entries", wire::Entries{1, 3, {file(0, "x", 1)}}},
      {"listed", wire::Listed{1, 3}},
      {"refused", wire::Refused{1, wire::FailureCode::kIo, "no"}},
      {"failed-without-a-file", wire::Failed{.request = 1, .name = "x"}},
      {"failed-of-another-request", wire::Failed{.request = 2, .has_file = true, .file = 2}}};
  for (const auto& [name, message] : strange) {
    add(name, "data stream", Code::kProtocol, [message](Talk& talk, Peer& stream) {
      stream.say(message);
      talk.first.wait_for_end();
    });
  }
  // What no announcement can follow is not waited for.
  add("unannounced-data", "not announced", Code::kProtocol, [](Talk& talk, Peer& stream) {
    stream.data(talk.request, 9, 0, "x");
    talk.end_well(3);
    talk.first.wait_for_end();
  });
  add("unannounced-failure", "not announced", Code::kProtocol, [](Talk& talk, Peer& stream) {
    stream.say(wire::Failed{.request = talk.request, .has_file = true, .file = 9});
    talk.end_well(3);
    talk.first.wait_for_end();
  });
  // Not hostile, only unusual: a stream that runs ahead of the announcements, ends in order,
  // and leaves the rest to the first connection.
  const std::string content = large_content();
  std::map<std::string, std::string> arrives = kOk;
  arrives.emplace("large", content);
  arrives.emplace("early", "x");
  // A host without room for further streams.
  auto arrives_on_the_first = arrives;
  arrives_on_the_first.erase("early");
  all.attacks.push_back({.name = "stream-not-let-in",
                         .ends = std::nullopt,
                         .arrives = std::move(arrives_on_the_first),
                         .script = answer([content](Talk& talk) {
                           talk.begin_well();
                           talk.entries(2, {file(0, "large", kLargeBytes)});
                           if (const auto stream = talk.host.next_stream()) {
                             stream->end_stream();
                             stream->hang_up();
                           }
                           send_range(talk.first, talk.request, 2, content, 0, kLargeBytes);
                           talk.end_well(3);
                         })});
  all.attacks.push_back({.name = "stream-ended-in-order",
                         .ends = std::nullopt,
                         .arrives = std::move(arrives),
                         .script = answer([content](Talk& talk) {
                           talk.begin_well();
                           talk.entries(2, {file(0, "large", kLargeBytes)});
                           if (const auto stream = talk.host.next_stream()) {
                             stream->data(talk.request, 3, 0, "x");
                             // What a connection holds that is not read: the stream waits for
                             // the entry of 'early' meanwhile.
                             send_range(*stream, talk.request, 2, content, 0, kHeldBytes);
                             stream->end_stream();
                             stream->finish_sending();
                             talk.entries(3, {file(0, "early", 1)});
                             send_range(talk.first, talk.request, 2, content, kHeldBytes,
                                        kLargeBytes);
                             talk.end_well(4);
                           }
                         })});
  return std::move(all.attacks);
}

}  // namespace wormhole::transfer::testing
