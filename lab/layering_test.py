#!/usr/bin/env python3
"""Checks that the rooms under src/ stand as ARCHITECTURE.md says.

Includes are written "room/file.h" and run strictly downward, heavy libraries and the operating
system stay inside the one room that owns them, and no file outgrows a reader. Run by ctest;
prints one line for each complaint and fails if there is one. First it checks itself, on planted
violations: a checker that sees nothing would pass anything.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

LEVELS = {
    "base": 0,
    "platform": 1,
    "wire": 1,
    "session": 2,
    "store": 2,
    "transfer": 3,
    "discover": 3,
    "mount": 4,
    "cli": 5,
    "lab": 5,
}

# Third-party headers, by prefix, and the rooms that may include them.
OWNERS = {
    "openssl/": {"session"},
    "sodium": {"session"},
    "intel-ipsec-mb": {"session"},
    "blake3": {"store"},
    "xxh": {"store"},
    "sqlite3": {"store"},
    "zstd": {"transfer"},
    "lz4": {"transfer"},
    "re2": {"transfer"},
    "fuse": {"mount"},
    "flatbuffers/": {"wire"},
    "CLI/": {"cli"},
    "nlohmann/": {"cli"},
}

# What belongs to an operating system and not to C++.
OS_HEADER = re.compile(
    r"^(sys/|linux/|asm/|arpa/|net/|netinet/|mach/|bits/|windows\.h|winsock|ws2|io\.h|"
    r"(unistd|fcntl|netdb|ifaddrs|poll|signal|pthread|dirent|termios|sched|pwd|grp|syslog|"
    r"spawn|dlfcn|langinfo|mntent|utime|aio|liburing|ucontext|execinfo|strings|pty)\.h)"
)
OS_MACRO = re.compile(
    r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*\b"
    r"(__linux__|__linux|__gnu_linux__|__unix__|__APPLE__|__MACH__|_WIN32|_WIN64|WIN32|"
    r"__FreeBSD__|__OpenBSD__|__ANDROID__|_MSC_VER|__CYGWIN__)\b"
)
OS_FILE = re.compile(r"_(linux|macos|windows)(_test)?\.(h|cc)$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')

LINES_MAX = 700


def room_of(path):
    """The room of a path relative to the root: src/ROOM/..., or lab/..."""
    return path.parts[1] if path.parts[0] == "src" else path.parts[0]


def complaints_about(path, text, known_headers):
    """One line for each rule that the text of the file at `path` (relative) breaks."""
    room = room_of(path)
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        yield f"{path}: {len(lines)} lines; more than {LINES_MAX} are two files"
    if path.suffix not in (".h", ".cc"):
        return
    if room not in LEVELS:
        yield f"{path}: no room '{room}' is known"
        return
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if room not in ("platform", "lab") and (macro := OS_MACRO.match(line)):
            yield f"{where}: {macro.group(1)} outside platform"
        match = INCLUDE.match(line)
        if not match:
            continue
        own, system = match.groups()
        if own:
            yield from own_include_complaints(where, room, own, known_headers)
        else:
            yield from system_include_complaints(where, path, room, system)


def own_include_complaints(where, room, header, known_headers):
    if room == "lab" and f"lab/{header}" in known_headers:
        return  # the lab is one folder, not a library that others include
    target = header.split("/")[0]
    if "/" not in header or target not in LEVELS:
        yield f'{where}: "{header}" is not written as "room/file.h"'
        return
    if header not in known_headers and not header.endswith("_generated.h"):
        yield f'{where}: "{header}" does not exist'
    if target != room and LEVELS[target] >= LEVELS[room]:
        yield f'{where}: {room} includes "{header}", which does not run downward'
    if header.endswith("_generated.h") and target != room:
        yield f'{where}: "{header}" is for {target} alone'


def system_include_complaints(where, path, room, header):
    for prefix, rooms in OWNERS.items():
        if header.startswith(prefix) and room not in rooms and room != "lab":
            yield f"{where}: <{header}> outside {' and '.join(sorted(rooms))}"
    # Unit tests may make the world they need by the system's own means.
    if not OS_HEADER.match(header) or room == "lab" or path.name.endswith("_test.cc"):
        return
    if room != "platform":
        yield f"{where}: <{header}> outside platform"
    elif not OS_FILE.search(path.name):
        yield f"{where}: <{header}> in a file that is not for one system (x_linux.cc, ...)"
    if path.suffix == ".h" and not OS_FILE.search(path.name):
        yield f"{where}: <{header}> in a header that other rooms see"


def check_the_checker():
    """Each planted violation must be seen, and the clean text must pass."""
    known = {"base/error.h", "transfer/plan.h", "wire/frame.h", "session/key.h"}
    planted = [
        ("src/base/a.cc", '#include "transfer/plan.h"', "does not run downward"),
        ("src/platform/a.cc", '#include "wire/frame.h"', "does not run downward"),
        ("src/base/a.cc", '#include "error.h"', "is not written as"),
        ("src/base/a.cc", '#include "base/gone.h"', "does not exist"),
        ("src/transfer/a.cc", '#include "wire/x_generated.h"', "for wire alone"),
        ("src/transfer/a.cc", "#include <openssl/ssl.h>", "outside session"),
        ("src/session/a.cc", "#include <blake3.h>", "outside store"),
        ("src/transfer/a.cc", "#include <sys/stat.h>", "outside platform"),
        ("src/platform/a.cc", "#include <unistd.h>", "not for one system"),
        ("src/platform/a.h", "#include <unistd.h>", "other rooms see"),
        ("src/cli/a.cc", "#ifdef __linux__", "outside platform"),
        ("src/cli/a.cc", "#if defined(_WIN32)", "outside platform"),
        ("src/attic/a.cc", "", "no room"),
        ("src/base/a.cc", "\n" * (LINES_MAX + 1), "are two files"),
        ("lab/x.py", "\n" * (LINES_MAX + 1), "are two files"),
    ]
    for path, text, expected in planted:
        seen = list(complaints_about(pathlib.PurePath(path), text, known))
        assert any(expected in line for line in seen), f"{path}: {text!r} gave {seen}"
    clean = [
        ("src/session/a.cc", '#include <openssl/ssl.h>\n#include "base/error.h"\n'),
        ("src/session/a.cc", '#include "session/key.h"\n#include <vector>\n#ifdef NDEBUG\n#endif\n'),
        ("src/platform/a_linux.cc", "#include <unistd.h>\n"),
        ("src/transfer/a_test.cc", "#include <sys/stat.h>\n"),
        ("lab/a.cc", "#include <sys/socket.h>\n"),
    ]
    for path, text in clean:
        seen = list(complaints_about(pathlib.PurePath(path), text, known))
        assert not seen, seen


def main():
    check_the_checker()
    headers = {str(p.relative_to(ROOT / "src")) for p in (ROOT / "src").rglob("*.h")}
    headers |= {str(p.relative_to(ROOT)) for p in (ROOT / "lab").rglob("*.h")}
    paths = [
        path
        for top in ("src", "lab")
        for path in sorted((ROOT / top).rglob("*"))
        if path.is_file() and (path.suffix in (".h", ".cc", ".py") or path.name in ("bench", "demo"))
    ]
    complaints = []
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        complaints += complaints_about(path.relative_to(ROOT), text, headers)
    for line in complaints:
        print(line)
    print(f"layering: {len(paths)} files, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
