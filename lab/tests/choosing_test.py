"""Which of what is shared comes: --exclude and its like, --update, --dry-run, several at once."""

import os
import time

import pytest
import trees
from runner import (INTERRUPTED, LOCAL_IO, PARTIAL, SUCCESS, USAGE, Command, Share, command, get,
                    start_get)


def files_in(path):
    """Relative paths of all that is below, directories with a '/'."""
    found = set()
    for directory, directories, names in os.walk(path):
        for name in directories + names:
            full = os.path.join(directory, name)
            is_directory = os.path.isdir(full) and not os.path.islink(full)
            found.add(os.path.relpath(full, path) + ("/" if is_directory else ""))
    return found


@pytest.fixture
def project(box):
    path = os.path.join(box, "project")
    for name, size in (("main.c", 100), ("main.o", 200), ("keep.o", 300), ("build/out", 400),
                       ("build/deep/x.c", 10), ("src/a.c", 1000), ("src/a.o", 2000),
                       ("src/build/y", 5), ("long", 300_000)):
        trees.write(os.path.join(path, name), os.urandom(size))
    os.symlink("main.c", os.path.join(path, "link.o"))
    return path


ALL = {"main.c", "main.o", "keep.o", "build/", "build/out", "build/deep/", "build/deep/x.c", "src/",
       "src/a.c", "src/a.o", "src/build/", "src/build/y", "long", "link.o"}


@pytest.mark.parametrize("options, passed_over", [
    ((), set()),
    (("--exclude", "*.o"), {"main.o", "keep.o", "src/a.o", "link.o"}),
    (("--exclude=/*.o",), {"main.o", "keep.o", "link.o"}),
    (("--include", "keep.o", "--exclude", "*.o"), {"main.o", "src/a.o", "link.o"}),
    (("--exclude", "*.o", "--include", "keep.o"), {"main.o", "keep.o", "src/a.o", "link.o"}),
    (("--exclude", "build/"), {"build/", "build/out", "build/deep/", "build/deep/x.c",
                               "src/build/", "src/build/y"}),
    (("--exclude", "/build/***", "--exclude", "long"),
     {"build/", "build/out", "build/deep/", "build/deep/x.c", "long"}),
    (("--include", "*/", "--include", "*.c", "--exclude", "*"),
     {"main.o", "keep.o", "link.o", "long", "build/out", "src/a.o", "src/build/y"}),
    (("--max-size", "1K"), {"long", "src/a.o"}),
    (("--max-size", "1KB", "--exclude", "/src"), {"long", "src/", "src/a.c", "src/a.o", "src/build/",
                                                  "src/build/y"}),
])
def test_what_is_excluded_stays_away(box, project, options, passed_over):
    with Share(box, project) as share:
        done = get(box, share.target, os.path.join(box, "dest"), *options).expect(SUCCESS)
        again = get(box, share.target, os.path.join(box, "dest"), *options).expect(SUCCESS)
    assert files_in(os.path.join(box, "dest")) == ALL - passed_over
    assert again.summary["bytes"] == 0 and again.summary["skipped"] == done.summary["files"]


def test_patterns_come_from_files_too(box, project):
    trees.write(os.path.join(box, "rules"), b"# mine\n\n+ keep.o\n*.o\n; not this\nbuild/\n")
    with Share(box, project) as share:
        get(box, share.target, os.path.join(box, "dest"), "--include", "main.o", "--exclude-from",
            os.path.join(box, "rules"), "--exclude", "*").expect(SUCCESS)
    assert files_in(os.path.join(box, "dest")) == {"main.o", "keep.o"}


def test_ignore_files_count_on_request(box, project):
    trees.write(os.path.join(project, ".gitignore"), b"*.o\n/build/\n!keep.o\n")
    trees.write(os.path.join(project, "src", ".gitignore"), b"!a.o\nbuild\n")
    with Share(box, project) as share:
        get(box, share.target, os.path.join(box, "all")).expect(SUCCESS)
        get(box, share.target, os.path.join(box, "dest"), "--gitignore").expect(SUCCESS)
    ours = {".gitignore", "src/.gitignore"}
    assert files_in(os.path.join(box, "all")) == ALL | ours
    assert files_in(os.path.join(box, "dest")) == ours | {
        "main.c", "keep.o", "src/", "src/a.c", "src/a.o", "long"}


@pytest.mark.parametrize("options", [
    ("--exclude", "a[b"), ("--exclude", ""), ("--max-size", "much"), ("--bwlimit", "fast"),
    ("--exclude-from", "/nowhere/rules"), ("--exclude",), ("--ignore-existing", "--overwrite")])
def test_what_cannot_be_meant_is_told_before_anyone_is_asked(box, options):
    done = command(box, "get", "127.0.0.1:1", os.path.join(box, "dest"), *options)
    done.expect(USAGE)
    assert done.stderr
    assert not os.path.exists(os.path.join(box, "dest"))


# --- what is there already -------------------------------------------------------------------------


@pytest.fixture
def versions(box):
    """A share, and a destination that has older, newer and other versions of its files."""
    source, there = os.path.join(box, "source"), os.path.join(box, "there")
    for name in ("same", "older", "newer", "resized", "new"):
        trees.write(os.path.join(source, name), b"of the host " + name.encode())
        os.utime(os.path.join(source, name), (1_600_000_000, 1_600_000_000))
    for name, seconds, text in (("same", 0, b"of the host same"), ("older", -10, b"mine"),
                                ("newer", 10, b"mine"), ("resized", 0, b"mine")):
        trees.write(os.path.join(there, name), text)
        os.utime(os.path.join(there, name), (1_600_000_000 + seconds,) * 2)
    time.sleep(0.05)  # what was changed since a run began is never replaced
    return source, there


def texts(there):
    return {name: trees.read(os.path.join(there, name)) for name in os.listdir(there)}


def test_update_replaces_what_is_older_and_leaves_what_is_newer(box, versions):
    source, there = versions
    with Share(box, source) as share:
        done = get(box, share.target, there, "--update").expect(SUCCESS)
    assert texts(there) == {"same": b"of the host same", "older": b"of the host older",
                            "newer": b"mine", "resized": b"of the host resized",
                            "new": b"of the host new"}
    assert (done.summary["files"], done.summary["left"], done.summary["skipped"]) == (3, 1, 1)


def test_ignore_existing_leaves_what_is_there(box, versions):
    source, there = versions
    with Share(box, source) as share:
        done = get(box, share.target, there, "--ignore-existing").expect(SUCCESS)
    assert texts(there) == {"same": b"of the host same", "older": b"mine", "newer": b"mine",
                            "resized": b"mine", "new": b"of the host new"}
    assert (done.summary["files"], done.summary["left"], done.summary["skipped"]) == (1, 3, 1)


@pytest.mark.parametrize("options, actions", [
    ((), {"same": "keep", "older": "conflict", "newer": "conflict", "resized": "conflict",
          "new": "fetch"}),
    (("--overwrite",), {"same": "keep", "older": "replace", "newer": "replace",
                        "resized": "replace", "new": "fetch"}),
    (("--update",), {"same": "keep", "older": "replace", "newer": "leave", "resized": "replace",
                     "new": "fetch"}),
    (("--ignore-existing",), {"same": "keep", "older": "leave", "newer": "leave",
                              "resized": "leave", "new": "fetch"}),
    (("--update", "--exclude", "n*"), {"same": "keep", "older": "replace", "resized": "replace"})])
def test_a_dry_run_says_what_the_run_then_does(box, versions, options, actions):
    source, there = versions
    before = trees.snapshot(there)
    with Share(box, source) as share:
        dry = get(box, share.target, there, "--dry-run", *options)
        assert trees.snapshot(there) == before, "nothing is done"
        real = get(box, share.target, there, *options)
    assert dry.status == real.status
    planned = {event["path"]: event for event in dry.events if event["event"] == "planned"}
    assert {path: event["action"] for path, event in planned.items()} == actions
    assert all(event["reason"] for event in planned.values())
    counts = {action: [event for event in planned.values() if event["action"] == action]
              for action in ("fetch", "replace", "keep", "leave", "conflict")}
    plan = [event for event in dry.events if event["event"] == "plan"][0]
    assert plan["would_fetch"] == len(counts["fetch"])
    assert plan["would_fetch_bytes"] == sum(event["size"] for event in counts["fetch"])
    assert plan["would_fetch"] + plan["would_replace"] == real.summary["files"]
    assert plan["would_fetch_bytes"] + plan["would_replace_bytes"] == real.summary["bytes"]
    assert plan["would_fail"] == real.summary["failed"] == dry.summary["failed"]
    assert dry.summary["left"] == real.summary["left"] == len(counts["leave"])
    assert dry.summary["skipped"] == real.summary["skipped"] == len(counts["keep"])


def test_a_dry_run_makes_nothing(box, project):
    os.mkfifo(os.path.join(project, "pipe"))
    os.mkdir(os.path.join(box, "here"))
    with Share(box, project) as share:
        for where in ((os.path.join(box, "a", "b"),), ()):
            done = get(box, share.target, *where, "-n", cwd=os.path.join(box, "here"))
            done.expect(SUCCESS)
            planned = {event["path"] + ("/" if event["type"] == "directory" else "")
                       for event in done.events if event["event"] == "planned"}
            assert planned == ALL
        one = get(box, share.target + "/src/a.c", os.path.join(box, "other"), "-n").expect(SUCCESS)
        assert [event["path"] for event in one.events if event["event"] == "planned"] == ["other"]
        missing = get(box, share.target + "/nothing", "-n")
        missing.expect(PARTIAL)
        people = command(box, "get", share.target, os.path.join(box, "c"), "-n").expect(SUCCESS)
    assert not os.listdir(os.path.join(box, "here"))
    assert not any(os.path.exists(os.path.join(box, name)) for name in ("a", "c", "other"))
    assert b"fetch        300 B  keep.o  (new)\n" in people.stdout
    assert b"would fetch 10 (304 kB), replace 0 (0 B); in " in people.stdout


def test_a_dry_run_sees_what_stands_in_the_way(box, project):
    there = os.path.join(box, "there")
    trees.write(os.path.join(there, "build"), b"a file")
    os.makedirs(os.path.join(there, "main.c"))
    os.symlink("elsewhere", os.path.join(there, "link.o"))
    with Share(box, project) as share:
        dry = get(box, share.target, there, "-n").expect(PARTIAL)
        real = get(box, share.target, there).expect(PARTIAL)
    conflicts = {event["path"] for event in dry.events
                 if event["event"] == "planned" and event["action"] == "conflict"}
    assert conflicts == set(real.failed())
    assert conflicts == {"build", "build/out", "build/deep", "build/deep/x.c", "main.c", "link.o"}


# --- several, slowly, and what is said of it --------------------------------------------------------


def test_several_go_into_the_destination_by_their_names(box, project):
    dest = os.path.join(box, "dest")
    with Share(box, project) as share:
        targets = [f"{share.target}/{path}" for path in ("src", "build/deep/", "main.c")]
        done = get(box, *targets, dest).expect(SUCCESS)
        again = get(box, *targets, dest + "/").expect(SUCCESS)
    assert files_in(dest) == {"src/", "src/a.c", "src/a.o", "src/build/", "src/build/y", "deep/",
                              "deep/x.c", "main.c"}
    assert done.summary["files"] == 5 and again.summary["skipped"] == 5
    assert done.summary["destination"] == dest
    assert done.summary["wire_bytes"] < 40_000


def test_of_several_all_come_from_a_share_that_serves_once(box, project):
    dest = os.path.join(box, "dest")
    with Share(box, project, args=["--once"]) as share:
        done = get(box, share.target + "/nothing", share.target + "/src/.", share.target + "/long",
                   dest).expect(PARTIAL)
        share.wait()
    assert done.failed() == {"nothing": "not_found"}
    assert {"src/a.c", "long"} <= files_in(dest)


def test_max_size_of_several_shares(box, project):
    with Share(box, os.path.join(project, "long"), os.path.join(project, "main.c")) as share:
        get(box, share.target, os.path.join(box, "dest"), "--max-size", "1K").expect(SUCCESS)
    assert files_in(os.path.join(box, "dest")) == {"main.c"}


def test_a_dry_run_of_several_goes_on_where_one_is_missing(box, project):
    with Share(box, project) as share:
        done = get(box, share.target + "/nothing", share.target + "/src/.", os.path.join(box, "d"),
                   "-n").expect(PARTIAL)
    assert done.failed() == {"nothing": "not_found"}
    assert "a.c" in {event["path"] for event in done.events if event["event"] == "planned"}


def test_of_several_one_that_is_missing_is_named_and_the_others_come(box, project):
    dest = os.path.join(box, "dest")
    with Share(box, project) as share:
        done = get(box, share.target + "/src", share.target + "/nothing", share.target + "/main.c",
                   dest).expect(PARTIAL)
    assert done.failed() == {"nothing": "not_found"}
    assert done.summary["failed"] == 1 and done.summary["files"] == 4
    assert "main.c" in files_in(dest)


def test_a_rate_is_not_passed(box):
    source, size = os.path.join(box, "source"), 3 << 20
    trees.write(source, os.urandom(size))
    with Share(box, source) as share:
        begun = time.monotonic()
        done = get(box, share.target, os.path.join(box, "dest"), "--bwlimit", "1.5M")
        took = time.monotonic() - begun
    done.expect(SUCCESS)
    assert trees.read(os.path.join(box, "dest")) == trees.read(source)
    assert took >= 2 * 0.98
    assert done.summary["seconds"] >= 2 * 0.98


def test_a_slow_rate_can_be_interrupted(box):
    source = os.path.join(box, "source")
    trees.write(source, os.urandom(3 << 20))
    with Share(box, source) as share:
        running = start_get(box, share.target, os.path.join(box, "dest"), "--bwlimit", "1K")
        share.output.wait("client")
        time.sleep(0.3)
        begun = time.monotonic()
        running.interrupt().expect(INTERRUPTED)
        assert time.monotonic() - begun < 60, "a block at that rate takes four minutes"
    assert not os.path.exists(os.path.join(box, "dest"))


def test_statistics_are_a_line_each(box, project):
    with Share(box, project) as share:
        done = command(box, "get", share.target, os.path.join(box, "dest"), "--stats")
    done.expect(SUCCESS)
    lines = [line.split(None, 1)[0] for line in done.stdout.decode().splitlines()]
    assert lines == ["9", "files", "besides", "bytes", "not", "on", "time", "this"]
    assert b"  files          9 came, 0 were there, 0 left as they are, 0 failed\n" in done.stdout
    assert b"4 directories" not in done.stdout and b"5 directories, 1 symlink, 0" in done.stdout


def test_failures_stand_at_the_end(box, versions):
    source, there = versions
    with Share(box, source) as share:
        done = command(box, "get", share.target, there, "-v")
    done.expect(PARTIAL)
    said = done.stderr.decode().splitlines()
    assert [line.startswith("wormhole: failed:") or line.startswith("failed:")
            for line in said[-3:]] == [True] * 3, said
    assert not any("failed:" in line for line in said[:-3])


# --- to standard output -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 70_000, 200 << 20])
def test_a_file_goes_to_standard_output(box, size):
    source = os.path.join(box, "source")
    trees.write(source, os.urandom(size))
    with Share(box, source) as share:
        done = command(box, "get", share.target, "-").expect(SUCCESS)
    assert done.stdout == trees.read(source)
    assert b"1 file (" in done.stderr and b"in 'standard output'" in done.stderr


def test_holes_and_text_come_as_they_are(box):
    source = os.path.join(box, "source")
    with open(source, "wb") as file:
        file.write(b"some words, again and again\n" * 100_000)
        file.truncate(9 << 20)
        file.seek(8 << 20)
        file.write(b"behind a hole")
    with Share(box, os.path.dirname(source)) as share:
        done = command(box, "get", share.target + "/source", "-", "-q").expect(SUCCESS)
    assert done.stdout == trees.read(source)
    assert done.stderr == b""


def test_only_one_file_can_go_there(box, project):
    with Share(box, project) as share:
        for targets, options in (((share.target,), ()),
                                 ((share.target + "/main.c", share.target + "/long"), ()),
                                 ((share.target + "/main.c",), ("--json",)),
                                 ((share.target + "/main.c",), ("-n",)),
                                 ((share.target + "/main.c",), ("--fsync",)),
                                 ((share.target + "/main.c",), ("--exclude", "*.o")),
                                 ((share.target + "/main.c",), ("--max-size", "1G")),
                                 ((share.target + "/main.c",), ("--delete", "--yes"))):
            done = command(box, "get", *targets, "-", *options).expect(USAGE)
            assert b"standard output" in done.stderr
        command(box, "get", share.target + "/nothing", "-").expect(PARTIAL)
    assert not os.path.exists(os.path.join(box, "-"))


def test_a_reader_that_goes_away_ends_it(box):
    source = os.path.join(box, "source")
    trees.write(source, os.urandom(20 << 20))
    with Share(box, source) as share:
        running = Command(box, "get", share.target, "-")
        assert len(running.process.stdout.read(10)) == 10
        running.process.stdout.close()
        assert running.process.wait(300) == LOCAL_IO


def test_a_reader_that_reads_nothing_does_not_hold_ctrl_c(box):
    source = os.path.join(box, "source")
    trees.write(source, os.urandom(20 << 20))
    with Share(box, source) as share:
        running = Command(box, "get", share.target, "-")
        assert len(running.process.stdout.read(10)) == 10
        running.process.send_signal(2)
        assert running.process.wait(300) == INTERRUPTED
