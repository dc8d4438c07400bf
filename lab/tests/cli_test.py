"""Commands, options, output and exit statuses."""

import json
import os
import pathlib
import re
import signal
import shutil
import socket
import stat
import subprocess

import pytest
import trees
from runner import (CODE, DEADLINE_SECONDS, INTERRUPTED, LOCAL_IO, NO_CONNECTION, PARTIAL, SUCCESS,
                    USAGE, Command, Share, binary, command, environment, get, put, wait_until)

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.write(os.path.join(path, "one"), b"first file", 0o640, 1_600_000_000_000_000_000)
    trees.write(os.path.join(path, "sub", "two"), b"second")
    os.symlink("one", os.path.join(path, "link"))
    return path


def dest(box):
    return os.path.join(box, "dest")


def start_for_people(box, *argv):
    """A share that talks to a person, who reads everything from one file."""
    with open(os.path.join(box, "out"), "wb") as out:
        return subprocess.Popen([binary(), "share", *argv], env=environment(box, "host", CODE),
                                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)


def output_of(box):
    return trees.read(os.path.join(box, "out"))


def end(process):
    process.send_signal(signal.SIGINT)
    process.wait(DEADLINE_SECONDS)


# --- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [
    [], ["nonsense"], ["get"], ["share"], ["ls"], ["get", "--no-such-option", "127.0.0.1"],
    ["get", "127.0.0.1:notaport"], ["get", "127.0.0.1:99999"], ["get", ""], ["get", ":7117"],
    ["get", "[::1"], ["get", "127.0.0.1", "a", "b"], ["get", "127.0.0.1", "--streams", "0"],
    ["get", "127.0.0.1", "--streams", "1000"], ["get", "127.0.0.1", "--streams", "many"],
    ["get", "127.0.0.1", "--encryption", "maybe"],
    ["share", ".", "--listen", "nonsense:port"]], ids=" ".join)
def test_usage_errors(box, argv):
    done = command(box, *argv).expect(USAGE)
    assert done.stderr and b"terminate called" not in done.stderr


def test_names_in_brackets_are_names(box):
    """Not lists, as the library for options has it."""
    trees.write(os.path.join(box, "[a,b]", "f"), b"f")
    trees.write(os.path.join(box, "a"), b"other")
    with Share(box, "[a,b]", args=("--writable",)) as share:
        get(box, share.target, "[to]").expect(SUCCESS)
        assert os.listdir(os.path.join(box, "[to]")) == ["f"] and not os.path.exists(dest(box))
        put(box, "[a,b]", share.target).expect(SUCCESS)
        assert sorted(os.listdir(os.path.join(box, "[a,b]"))) == ["[a,b]", "f"]
        command(box, "get", share.target, "[x]", "--exclude", "[f]", "--json").expect(SUCCESS)
        assert os.listdir(os.path.join(box, "[x]")) == ["[a,b]"]


def test_operands_in_brackets_are_given_back_in_messages(box):
    done = command(box, "ls", "127.0.0.1", "[::1]").expect(USAGE)
    assert b"[::1]" in done.stderr and b"\x1f" not in done.stderr


def test_behind_two_hyphens_everything_is_an_operand(box, source):
    with Share(box, source) as share:
        command(box, "get", share.target, "--", "-odd").expect(SUCCESS)
        command(box, "get", "--", share.target, "--odd").expect(SUCCESS)
    for name in ("-odd", "--odd"):
        trees.assert_same(source, os.path.join(box, name))


@pytest.mark.parametrize("verb", ["get", "put"])
def test_an_empty_value_does_not_take_the_next_argument(box, source, verb):
    with Share(box, source, args=("--writable",)) as share:
        trees.write(os.path.join(dest(box), "precious"), b"precious")
        operands = [share.target, dest(box)] if verb == "get" else [dest(box), share.target]
        for option in ("--exclude=", "--max-size=", "--code-file="):
            done = command(box, verb, *operands, "--delete", "--yes", "--overwrite", option,
                           "--dry-run").expect(USAGE)
            assert f"{option[:-1]}: its value is empty".encode() in done.stderr
        assert trees.read(os.path.join(dest(box), "precious")) == b"precious"


def test_standard_input_is_read_for_one_thing(box, source):
    with Share(box, source, args=("--writable",)) as share:
        for argv in (["put", "-", share.target + "/one", "--exclude-from", "-", "--overwrite"],
                     ["get", share.target, dest(box), "--exclude-from", "-", "--exclude-from", "-"]):
            command(box, *argv).expect(USAGE)
        assert trees.read(os.path.join(source, "one")) == b"first file"


def test_a_file_that_grows_past_a_limit_is_an_error(box):
    """As the disk's end is: SIGXFSZ would end a whole share."""
    trees.write(os.path.join(box, "source", "large"), os.urandom(3 << 20))
    trees.write(os.path.join(box, "source", "small"), b"small")
    with Share(box, os.path.join(box, "source")) as share:
        limited = subprocess.run(["prlimit", "--fsize=2000000", binary(), "get", share.target,
                                  dest(box)], env=environment(box, "guest", CODE), cwd=box,
                                 stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert limited.returncode in (PARTIAL, LOCAL_IO), limited.stderr
        assert b"large" in limited.stderr
    assert not os.path.exists(os.path.join(dest(box), "large"))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_are_nobody_elses(box, source, closed):
    with Share(box, source) as share:
        running = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", binary(), "get", share.target,
                                  dest(box)], env=environment(box, "guest", CODE), cwd=box,
                                 check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.returncode in (SUCCESS, LOCAL_IO), running.stderr
    trees.assert_same(source, dest(box))


def test_a_closed_standard_input_is_no_file(box, source):
    """As with cat(1); it is not the first thing that was opened either, which never ends."""
    with Share(box, source, args=("--writable",)) as share:
        running = subprocess.run(["sh", "-c", '"$@" <&-', "sh", binary(), "put", "-",
                                  share.target + "/new"], env=environment(box, "guest", CODE),
                                 cwd=box, check=False, stderr=subprocess.PIPE,
                                 timeout=DEADLINE_SECONDS)
        assert running.returncode == LOCAL_IO, running.stderr
        assert b"standard input" in running.stderr
    assert not os.path.exists(os.path.join(source, "new"))


def test_version(box):
    done = command(box, "--version").expect(SUCCESS)
    version = re.search(r"project\(wormhole VERSION ([0-9.]+)",
                        (PROJECT / "CMakeLists.txt").read_text())[1]
    assert version.encode() in done.stdout


@pytest.mark.parametrize("verb", [[], ["share"], ["get"], ["put"], ["ls"]], ids=str)
def test_help_has_examples(box, verb):
    done = command(box, *verb, "--help").expect(SUCCESS)
    assert re.search(rb"Examples:\n  +\S*.*wormhole (share|get|put|ls) ", done.stdout)


def options_in_help(box):
    """{verb: long options}"""
    return {verb: set(re.findall(r"--[a-z][a-z-]+",
                                 command(box, verb, "--help").expect(SUCCESS).stdout.decode()))
            for verb in ("share", "get", "put", "ls")}


def test_manual_and_completions_know_every_option(box):
    manual = (PROJECT / "packaging" / "wormhole.1").read_text().replace("\\-", "-")
    shells = {name: (PROJECT / "packaging" / name).read_text()
              for name in ("wormhole.bash", "_wormhole", "wormhole.fish")}
    for verb, options in options_in_help(box).items():
        assert {"--json", "--help"} <= options, verb
        for option in options:
            assert option in manual, f"{verb} {option} is not in the manual"
            for name, text in shells.items():
                word = f"-l {option[2:]}" if name.endswith(".fish") else option
                assert word in text, f"{verb} {option} is not in {name}"


def test_exit_statuses_are_documented(box):
    text = (PROJECT / "docs" / "exit-codes.md").read_text()
    manual = (PROJECT / "packaging" / "wormhole.1").read_text()
    for status in (0, 2, 3, 4, 5, 6, 7, 130):
        assert re.search(rf"^\| {status} \|", text, re.M), status
        assert re.search(rf"^\.B {status}$", manual, re.M), status


@pytest.mark.parametrize("shell,name", [("bash", "wormhole.bash"), ("zsh", "_wormhole"),
                                        ("fish", "wormhole.fish")])
def test_completions_parse(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n", PROJECT / "packaging" / name], check=True)


def test_bash_completes(box):
    def complete(*words):
        script = (f"source {PROJECT}/packaging/wormhole.bash; COMP_WORDS=({' '.join(words)}); "
                  f"COMP_CWORD={len(words) - 1}; _wormhole; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True,
                              cwd=box).stdout.split()

    trees.write(os.path.join(box, "footage"))
    assert complete("wormhole", "''") == ["cache", "get", "ls", "put", "share"]
    assert complete("wormhole", "g") == ["get"]
    assert "--overwrite" in complete("wormhole", "get", "--o")
    assert "--once" in complete("wormhole", "share", "--o")
    assert complete("wormhole", "get", "--encryption", "''") == ["off", "on"]
    assert complete("wormhole", "share", "foo") == ["footage"]


def test_the_manual_renders_without_warnings():
    if not shutil.which("man"):
        pytest.skip("no man here")
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l",
                           PROJECT / "packaging" / "wormhole.1"],
                          env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8",
                               "MAN_KEEP_FORMATTING": ""},
                          check=True, capture_output=True)
    assert not done.stderr
    assert b"EXIT STATUS" in done.stdout


# --- connecting ----------------------------------------------------------------------------------


def test_nobody_listens(box):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = get(box, f"127.0.0.1:{port}", dest(box)).expect(NO_CONNECTION)
    assert str(port).encode() in done.stderr


def test_a_name_that_does_not_resolve(box):
    get(box, "no-such-host.invalid", dest(box)).expect(NO_CONNECTION)


def test_something_else_listens(box):
    with socket.create_server(("127.0.0.1", 0)) as other:
        running = Command(box, "get", f"127.0.0.1:{other.getsockname()[1]}", dest(box))
        connection, _ = other.accept()
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()
        done = running.finish()
    assert done.status in (NO_CONNECTION, 7), done.stderr


def test_a_code_without_a_host_says_so(box):
    for target, extra in ((CODE, []), (CODE, [dest(box)]), (CODE + "/a", []),
                          (CODE + ":7117", []), (CODE + ":7117/a", [dest(box)])):
        done = command(box, "get", target, *extra, code=None).expect(USAGE)
        assert b"host" in done.stderr
        for word in CODE.split("-")[1:]:
            assert word.encode() not in done.stderr


def test_by_host_name(box, source):
    with Share(box, source) as share:
        get(box, f"localhost:{share.port}", dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_ipv6(box, source, ipv6):
    with Share(box, source, listen="[::1]:0") as share:
        get(box, f"[::1]:{share.port}", dest(box)).expect(SUCCESS)
        get(box, f"[::1]:{share.port}/one", os.path.join(box, "one")).expect(SUCCESS)
    trees.assert_same(source, dest(box))
    assert trees.read(os.path.join(box, "one")) == b"first file"


def test_the_default_port(box, source, own_network):
    with Share(box, source, listen=None) as share:
        assert share.port == 7117
        get(box, "127.0.0.1", dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_an_ipv6_address_alone_is_no_list(box, source, own_network, ipv6):
    with Share(box, source, listen="[::1]:7117"):
        get(box, "[::1]", dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_the_next_free_port_when_it_is_taken(box, source, own_network):
    with socket.create_server(("", 7117)), socket.create_server(("", 7118)):
        with Share(box, source, listen=None) as share:
            assert share.port == 7119
            get(box, share.target, dest(box)).expect(SUCCESS)
        process = start_for_people(box, source)
        try:
            said = wait_until(lambda: re.search(rb"port 7117 is taken.*7119", output_of(box)),
                              "the share to say which port it took")
            assert said
        finally:
            end(process)


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(box, source):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command(box, "share", source, "--listen", f"127.0.0.1:{port}")
    done.expect(NO_CONNECTION)
    assert str(port).encode() in done.stderr


def test_only_a_taken_port_is_passed_over(box, source):
    done = command(box, "share", source, "--listen", "192.0.2.99").expect(NO_CONNECTION)
    assert b"7117" in done.stderr and b"7136" not in done.stderr
    command(box, "share", source, "--listen", "99999").expect(USAGE)


def test_addresses_are_of_the_family_that_listens(box, source, own_network):
    subprocess.run(["ip", "address", "add", "fd00::2/64", "dev", "lo"], check=True)
    with Share(box, source, listen="0.0.0.0:0") as share:
        assert all(not address.startswith("[") for address in share.listening["addresses"])
        get(box, share.listening["addresses"][0], dest(box)).expect(SUCCESS)


def test_the_shown_command_works(box, source):
    with Share(box, source) as share:
        words = share.listening["command"].split()
        assert words[:2] == ["wormhole", "get"]
        assert any(str(share.port) in word for word in words)
        done = command(box, *words[1:], dest(box), "--json", code=CODE)
        done.expect(SUCCESS)
    trees.assert_same(source, dest(box))


# --- share ---------------------------------------------------------------------------------------


def test_once_ends_after_one_guest(box):
    source = trees.make_mixed(os.path.join(box, "source"), files=30)
    trees.write(os.path.join(os.fsdecode(source), "large"), trees.random_bytes(150_000_000))
    with Share(box, source, args=["--once"]) as share:
        get(box, share.target, dest(box), "--streams", "4").expect(SUCCESS)
        assert share.wait() == SUCCESS
        assert share.output.named("summary")
    trees.assert_same(source, dest(box))


def test_once_is_not_used_up_by_a_wrong_code(box, source):
    with Share(box, source, args=["--once"]) as share:
        get(box, share.target, dest(box), code="wrong").expect(4)
        get(box, share.target, dest(box)).expect(SUCCESS)
        assert share.wait() == SUCCESS


def test_once_that_served_no_one_was_interrupted(box, source):
    with Share(box, source, args=["--once"]) as share:
        assert share.interrupt() == INTERRUPTED


def test_ctrl_c_ends_a_share_cleanly(box, source):
    with Share(box, source) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
        assert share.interrupt() == SUCCESS
        assert share.output.events[-1]["event"] == "summary"
        assert share.output.events[-1]["streams"] > 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", share.port)).close()


def test_a_share_is_read_only(box, source):
    before = trees.snapshot(source)
    with Share(box, source) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
    assert trees.snapshot(source) == before


def test_what_appears_while_sharing_is_served(box, source):
    with Share(box, source) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
        trees.write(os.path.join(source, "late"), b"late")
        get(box, share.target, dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_a_relative_path_and_the_present_directory(box, source):
    with Share(box, "source", cwd=box) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))
    with Share(box, ".", cwd=source) as share:
        get(box, share.target, os.path.join(box, "dest2")).expect(SUCCESS)
    trees.assert_same(source, os.path.join(box, "dest2"))


# --- output --------------------------------------------------------------------------------------

SUMMARY_FIELDS = {"event", "bytes", "files", "wire_bytes", "seconds", "first_byte_ms", "streams",
                  "cpu_seconds", "peak_rss_bytes", "skipped", "failed", "links", "directories"}


def test_json_is_one_object_a_line_and_ends_with_a_summary(box, source):
    with Share(box, source) as share:
        done = get(box, share.target, dest(box)).expect(SUCCESS)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert all(isinstance(event, dict) and isinstance(event["event"], str)
                   for event in events)
        assert [event["event"] for event in events].count("summary") == 1
        summary = events[-1]
        assert SUMMARY_FIELDS <= summary.keys()
        assert summary["files"] == 2 and summary["links"] == 1
        assert summary["bytes"] == len(b"first file" + b"second")
        assert summary["wire_bytes"] > summary["bytes"]
        assert 0 < summary["first_byte_ms"] / 1000 <= summary["seconds"]
        assert summary["peak_rss_bytes"] > 1_000_000
        assert summary["cpu_seconds"] > 0
        assert summary["skipped"] == summary["failed"] == 0
        share.interrupt()
        assert not share.output.errors
        assert share.output.events[-1]["event"] == "summary"


def test_json_also_on_failure(box):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = get(box, f"127.0.0.1:{port}", dest(box)).expect(NO_CONNECTION)
    assert [event["event"] for event in done.events] == ["error", "summary"]
    assert done.summary["exit"] == NO_CONNECTION


def test_quiet_when_not_on_a_terminal(box, source):
    with Share(box, source) as share:
        plain = command(box, "get", share.target, dest(box)).expect(SUCCESS)
        quiet = command(box, "get", share.target, dest(box), "-q").expect(SUCCESS)
    said = plain.stdout + plain.stderr
    assert b"\r" not in said and b"\x1b" not in said
    assert len(said.splitlines()) == 1, "one closing sentence"
    assert not quiet.stdout and not quiet.stderr
    trees.write(os.path.join(dest(box), "one"), b"another")
    with Share(box, source) as share:
        failing = command(box, "get", share.target, dest(box), "-q").expect(PARTIAL)
    assert not failing.stdout
    assert failing.stderr.startswith(b"failed: ") and b"one" in failing.stderr


@pytest.mark.parametrize("verb", ["ls", "get"])
def test_output_that_is_lost_is_no_success(box, source, verb):
    with Share(box, source) as share, open("/dev/full", "wb") as full:
        arguments = [dest(box)] if verb == "get" else []
        done = subprocess.run([binary(), verb, share.target, *arguments, "--json"], stdout=full,
                              stderr=subprocess.PIPE, env=environment(box, "guest", CODE))
    assert done.returncode == LOCAL_IO
    assert b"standard output" in done.stderr


def test_hidden_names_go_only_where_they_were_asked_for(box):
    hidden = os.path.join(box, "it's", ".hidden")
    trees.write(os.path.join(hidden, "f"), b"content")
    os.mkdir(os.path.join(box, "here"))
    here = os.path.join(box, "here")
    with Share(box, hidden) as share:
        assert share.listening["command"].endswith(" '.hidden'")
        get(box, share.target, cwd=here).expect(7)
        get(box, share.target, ".hidden", cwd=here).expect(SUCCESS)
    assert trees.read(os.path.join(here, ".hidden", "f")) == b"content"
    with Share(box, hidden, os.path.dirname(hidden)) as share:
        os.rename(os.path.join(here, ".hidden"), os.path.join(here, "away"))
        get(box, share.target + "/.hidden", cwd=here).expect(SUCCESS)
    assert trees.read(os.path.join(here, ".hidden", "f")) == b"content"


def test_share_tells_a_person_what_to_do(box, source):
    process = start_for_people(box, source, "--listen", "127.0.0.1:0")
    try:
        said = wait_until(lambda: re.search(rb"wormhole get (\S+)\n", output_of(box)),
                          "the command for the other side")
        assert CODE.encode() in output_of(box)
        get(box, said[1], dest(box)).expect(SUCCESS)
    finally:
        end(process)
    trees.assert_same(source, dest(box))


def test_a_verbose_run_says_more(box, source):
    with Share(box, source) as share:
        done = command(box, "get", share.target, dest(box), "-v").expect(SUCCESS)
    assert len((done.stdout + done.stderr).splitlines()) > 1


HOSTILE_NAME = b"evil\x1b[31m\r\nname\xff" + "\u202e\u2066".encode()


def assert_harmless(output):
    for bad in (b"\x1b", b"\r", "\u202e".encode(), "\u2066".encode(), b"\nname", b"\xff"):
        assert bad not in output, (bad, output)


def test_hostile_names_are_escaped_everywhere(box):
    source = os.path.join(os.fsencode(box), b"source")
    trees.write(os.path.join(source, HOSTILE_NAME), b"new")
    os.mkfifo(os.path.join(source, b"pipe" + HOSTILE_NAME))
    trees.write(os.path.join(os.fsencode(box), b"dest", HOSTILE_NAME), b"different")
    with Share(box, source, args=["-v"]) as share:
        plain = command(box, "get", share.target, dest(box), "-v").expect(PARTIAL)
        assert_harmless(plain.stdout + plain.stderr)
        assert b"evil" in plain.stderr + plain.stdout
        machine = get(box, share.target, dest(box)).expect(PARTIAL)
        assert_harmless(machine.stdout + machine.stderr)
        for flags in ([], ["-l"], ["-R"], ["-l", "-R"], ["--json"]):
            listed = command(box, "ls", share.target, *flags)
            assert_harmless(listed.stdout + listed.stderr)
            assert b"evil" in listed.stdout
        assert_harmless(share.everything_said())


# --- ls ------------------------------------------------------------------------------------------


def test_ls(box, source):
    with Share(box, source) as share:
        plain = command(box, "ls", share.target).expect(SUCCESS).stdout.decode()
        names = [line.rstrip("/@*") for line in plain.split()]
        assert sorted(names) == ["link", "one", "sub"]
        assert "two" not in plain

        long = command(box, "ls", share.target, "-l").expect(SUCCESS).stdout.decode()
        line = next(line for line in long.splitlines() if re.search(r"\bone$", line))
        assert "10" in line.split() and "2020-09-13" in line
        assert re.search(r"rw-r-----", line)
        assert re.search(r"link -> one$", long, re.M)

        deep = command(box, "ls", share.target, "-R").expect(SUCCESS).stdout.decode()
        assert "sub/two" in deep

        below = command(box, "ls", share.target + "/sub").expect(SUCCESS).stdout.decode()
        assert below.split() == ["two"]

        missing = command(box, "ls", share.target + "/nothing")
        assert missing.status not in (SUCCESS, -6, -11)


def test_ls_json(box, source):
    with Share(box, source) as share:
        done = command(box, "ls", share.target, "-R", "--json").expect(SUCCESS)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "summary"
    assert any("two" in json.dumps(event) for event in events)


def test_ls_of_several_shares(box, source):
    trees.write(os.path.join(box, "other"), b"x")
    with Share(box, source, os.path.join(box, "other")) as share:
        done = command(box, "ls", share.target).expect(SUCCESS)
    assert sorted(line.rstrip("/") for line in done.stdout.decode().split()) == ["other", "source"]


def test_ls_writes_nothing(box, source):
    os.mkdir(os.path.join(box, "empty"))
    with Share(box, source) as share:
        command(box, "ls", share.target, "-l", "-R",
                cwd=os.path.join(box, "empty")).expect(SUCCESS)
    assert not os.listdir(os.path.join(box, "empty"))


def close_early(process):
    """`| head -n 1`"""
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    process.wait(DEADLINE_SECONDS)
    return process.returncode, stderr


def test_a_reader_that_leaves_early(box):
    source = os.path.join(box, "source")
    for number in range(3000):
        trees.write(os.path.join(source, f"{number:05}-{'n' * 100}"), b"x")
    with Share(box, source) as share:
        running = Command(box, "ls", share.target, "-R")
        status, stderr = close_early(running.process)
        # By the signal as usual, or by an error of its own; not by a crash.
        assert status in (SUCCESS, 6, -13, 141), (status, stderr)
        assert len(stderr.splitlines()) <= 1
        get(box, share.target, dest(box)).expect(SUCCESS)


def test_get_goes_on_or_stops_cleanly_without_a_reader(box):
    source = trees.make_mixed(os.path.join(box, "source"), files=300)
    with Share(box, source) as share:
        running = Command(box, "get", share.target, dest(box), "--json")
        running.process.stdout.close()
        running.process.stderr.close()
        status = running.process.wait(DEADLINE_SECONDS)
        assert status in (SUCCESS, 6, -13, 141)
        if os.path.exists(dest(box)):
            trees.assert_nothing_half(source, dest(box))
        get(box, share.target, dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


# --- make install --------------------------------------------------------------------------------


def test_install(box):
    build = pathlib.Path(binary()).parent.parent.parent
    if not (build / "cmake_install.cmake").exists():
        pytest.skip("the binary is not in its build directory")
    subprocess.run(["cmake", "--install", build, "--prefix", "/opt/wormhole"],
                   env={**os.environ, "DESTDIR": box}, check=True, stdout=subprocess.DEVNULL)
    top = os.path.join(box, "opt", "wormhole")
    for path in ("share/man/man1/wormhole.1", "share/bash-completion/completions/wormhole",
                 "share/zsh/site-functions/_wormhole",
                 "share/fish/vendor_completions.d/wormhole.fish"):
        assert os.path.getsize(os.path.join(top, path)) > 0
    installed = os.path.join(top, "bin", "wormhole")
    assert stat.S_IMODE(os.stat(installed).st_mode) & 0o111
    subprocess.run([installed, "--version"], check=True, stdout=subprocess.DEVNULL)
