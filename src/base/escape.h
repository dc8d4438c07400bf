// Untrusted text made safe to show: names, host names and a peer's error texts.
#pragma once

#include <string>
#include <string_view>

namespace wormhole {

// `raw` with every control character, bidirectional or zero-width mark, line or paragraph
// separator, and every byte that is not part of well-formed UTF-8 written as \xNN (bytes) or
// \u{N} (code points), and backslash doubled, so that the result is printable, on one line,
// and unambiguous. Threat: CVE-2019-6109, CVE-2023-43620.
[[nodiscard]] std::string escape(std::string_view raw);

// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view raw);

}  // namespace wormhole
