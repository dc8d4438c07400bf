"""--delete: what is not at the source goes, and nothing else."""

import contextlib
import os
import pty
import shutil
import subprocess
import threading

import pytest
import trees
from runner import (CODE, INTERRUPTED, PARTIAL, SUCCESS, USAGE, Share, binary, command, environment,
                    get, put, wait_until)


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    for name in ("keep", "d/keep", "d/e/keep", "only-here/new"):
        trees.write(os.path.join(path, name), name.encode())
    return path


@pytest.fixture
def there(box):
    """What is at the destination before; its own name is the source's."""
    path = os.path.join(box, "there", "source")
    for name in ("keep", "gone", "d/keep", "d/gone", "d/e/gone.o", "old/f", "old/deep/g"):
        trees.write(os.path.join(path, name), b"d/keep" if name == "d/keep" else name.encode())
    os.symlink("/", os.path.join(path, "link"))
    os.mkfifo(os.path.join(path, "d/pipe"))
    os.mkdir(os.path.join(path, "empty"))
    return path


GONE = {"gone", "d/gone", "d/e/gone.o", "old/f", "old/deep/g", "old/deep", "old", "link", "d/pipe",
        "empty"}


def fetch(box, source, there, *options):
    with Share(box, source) as share:
        return get(box, share.target, there, "--overwrite", *options)


def bring(box, source, there, *options):
    with Share(box, os.path.dirname(there), args=("--writable",)) as share:
        return put(box, source, share.target, "--overwrite", *options)


BOTH = pytest.mark.parametrize("mirror", [fetch, bring], ids=["get", "put"])


@BOTH
def test_what_is_not_at_the_source_goes(box, source, there, mirror):
    done = mirror(box, source, there, "--delete", "--yes").expect(SUCCESS)
    trees.assert_same(source, there)
    assert done.summary["deleted"] == len(GONE)
    again = mirror(box, source, there, "--delete", "--yes").expect(SUCCESS)
    assert again.summary["deleted"] == 0


@BOTH
def test_without_it_everything_stays(box, source, there, mirror):
    mirror(box, source, there).expect(SUCCESS)
    assert all(os.path.lexists(os.path.join(there, name)) for name in GONE)


@BOTH
def test_it_is_shown_first(box, source, there, mirror):
    before = trees.snapshot(there)
    done = mirror(box, source, there, "--delete", "-n").expect(SUCCESS)
    assert {event["path"] for event in done.events
            if event["event"] == "planned" and event["action"] == "delete"} == GONE
    plan, = [event for event in done.events if event["event"] == "plan"]
    assert plan["would_delete"] == len(GONE)
    assert trees.snapshot(there) == before


@BOTH
def test_what_is_excluded_stays(box, source, there, mirror):
    options = ("--delete", "--yes", "--exclude", "*.o", "--exclude", "/old/deep/")
    planned = mirror(box, source, there, "--exclude", "*.o", "--exclude", "/old/deep/", "--delete",
                     "-n").expect(SUCCESS)
    done = mirror(box, source, there, *options).expect(SUCCESS)
    stays = {"d/e/gone.o", "old/deep/g", "old/deep", "old"}
    assert all(os.path.lexists(os.path.join(there, name)) for name in stays)
    assert not any(os.path.lexists(os.path.join(there, name)) for name in GONE - stays)
    assert done.summary["deleted"] == len(GONE - stays)
    assert {event["path"] for event in planned.events
            if event["event"] == "planned" and event["action"] == "delete"} == GONE - stays


@BOTH
def test_what_the_source_cannot_read_stays(box, source, there, mirror, root):
    """Nobody knows what is in there."""
    closed = os.path.join(source, "old")
    os.makedirs(closed)
    os.chmod(closed, 0)
    os.mkfifo(os.path.join(source, "gone"))
    if mirror is fetch:
        os.chmod(box, 0o755)
        with Share(box, source, nobody=True) as share:
            done = get(box, share.target, there, "--delete", "--yes", "--overwrite")
    else:
        os.chmod(box, 0o755)
        with Share(box, os.path.dirname(there), args=("--writable",)) as share:
            done = put(box, source, share.target, "--delete", "--yes", "--overwrite", nobody=True)
    done.expect(PARTIAL)
    assert os.path.exists(os.path.join(there, "old/f"))
    assert os.path.exists(os.path.join(there, "gone")), "a pipe of that name is there"
    assert not os.path.exists(os.path.join(there, "d/gone"))


def test_a_link_is_deleted_and_not_what_it_leads_to(box, source, there):
    outside = os.path.join(box, "outside")
    trees.write(os.path.join(outside, "precious"), b"precious")
    os.symlink(outside, os.path.join(there, "out"))
    os.symlink(outside, os.path.join(there, "old/out"))
    fetch(box, source, there, "--delete", "--yes").expect(SUCCESS)
    assert not os.path.lexists(os.path.join(there, "out"))
    assert trees.read(os.path.join(outside, "precious")) == b"precious"


def test_unfinished_downloads_stay(box, source, there):
    partial = os.path.join(there, "old", ".wormhole-" + "0" * 32)
    trees.write(partial, b"half")
    fetch(box, source, there, "--delete", "--yes").expect(SUCCESS)
    assert trees.read(partial) == b"half"
    assert not os.path.exists(os.path.join(there, "old/f"))


def test_another_file_system_is_not_entered(box, source, there, root):
    mounted = os.path.join(there, "old")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    try:
        trees.write(os.path.join(mounted, "f"), b"f")
        done = fetch(box, source, there, "--delete", "--yes").expect(PARTIAL)
        assert done.failed() == {"old": "limit"}
        assert trees.read(os.path.join(mounted, "f")) == b"f"
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_several_are_mirrored_each_by_itself(box, source, there):
    other = os.path.join(box, "other")
    trees.write(os.path.join(other, "f"), b"f")
    inbox = os.path.dirname(there)
    trees.write(os.path.join(inbox, "beside"), b"beside")
    with Share(box, inbox, args=("--writable",)) as share:
        put(box, source, other, share.target, "--delete", "--yes", "--overwrite").expect(SUCCESS)
    trees.assert_same(source, there)
    assert trees.read(os.path.join(inbox, "beside")) == b"beside"


def test_what_cannot_be_meant(box, source, there):
    with Share(box, source) as share:
        get(box, share.target, there, "--delete").expect(USAGE)  # nobody can be asked
        get(box, share.target, "--delete", "--yes").expect(USAGE)  # the host would say where
        for option in (("--gitignore",), ("--max-size", "1M")):
            get(box, share.target, there, "--delete", "--yes", *option).expect(USAGE)
    trees.write(os.path.join(box, "f"), b"f")
    put(box, os.path.join(box, "f"), "127.0.0.1:1", "--delete", "--yes").expect(USAGE)
    with Share(box, os.path.dirname(there), args=("--incoming",)) as share:
        put(box, source, share.target, "--delete", "--yes").expect(PARTIAL)
    assert os.path.exists(os.path.join(there, "gone"))


@contextlib.contextmanager
def asked(box, source, there, verb, typed_before=b""):
    """(the command, on a terminal from which it can be answered; that terminal)"""
    args = ("--writable",) if verb == "put" else ()
    shared = os.path.dirname(there) if verb == "put" else source
    with Share(box, shared, args=args) as share:
        operands = [source, share.target] if verb == "put" else [share.target, there]
        ours, theirs = pty.openpty()
        os.write(ours, typed_before)
        running = subprocess.Popen([binary(), verb, *operands, "--delete", "--overwrite"],
                                   stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
                                   env=environment(box, "guest", CODE), cwd=box,
                                   start_new_session=True)
        os.close(theirs)
        yield running, ours
        os.close(ours)


def until_asked(terminal):
    """What it shows before."""
    shown = b""
    while b"as shown?" not in shown:
        more = os.read(terminal, 4096)
        assert more, "it ended without asking"
        shown += more
    return shown


def until_it_ends(running, terminal):
    """What it shows from then on, and what it says on standard error."""
    shown = b""
    with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
        while more := os.read(terminal, 4096):
            shown += more
    _, stderr = running.communicate(timeout=60)
    return shown, stderr


BY_BOTH = pytest.mark.parametrize("verb", ["get", "put"])


@pytest.mark.parametrize("answer", [b"y\n", b"n\n", b"\n"], ids=["yes", "no", "nothing"])
@BY_BOTH
def test_it_asks(box, source, there, verb, answer):
    with asked(box, source, there, verb) as (running, terminal):
        shown = until_asked(terminal)
        os.write(terminal, answer)
        rest, stderr = until_it_ends(running, terminal)
    stdout = shown + rest
    assert f"Delete {len(GONE)} as shown?".encode() in stdout
    for name in GONE:
        assert f" {name}".encode() in stdout
    if answer == b"y\n":
        assert running.returncode == SUCCESS, stderr
        trees.assert_same(source, there)
    else:
        assert running.returncode == INTERRUPTED
        assert all(os.path.lexists(os.path.join(there, name)) for name in GONE)
        assert b"nothing was changed" in stderr


@BY_BOTH
def test_nobody_is_asked_who_does_not_see_what_goes(box, source, there, verb):
    """Standard output is a file, or a pager."""
    shared = os.path.dirname(there) if verb == "put" else source
    with Share(box, shared, args=("--writable",)) as share:
        operands = [source, share.target] if verb == "put" else [share.target, there]
        ours, theirs = pty.openpty()
        refused = command(box, verb, *operands, "--delete", "--overwrite", stdin=theirs)
        os.close(theirs)
        os.close(ours)
    refused.expect(USAGE)
    assert b"--yes" in refused.stderr
    assert all(os.path.lexists(os.path.join(there, name)) for name in GONE)


@BY_BOTH
def test_what_was_typed_before_is_no_answer(box, source, there, verb):
    with asked(box, source, there, verb, typed_before=b"y\n") as (running, terminal):
        until_asked(terminal)
        os.write(terminal, b"n\n")
        until_it_ends(running, terminal)
    assert running.returncode == INTERRUPTED
    assert all(os.path.lexists(os.path.join(there, name)) for name in GONE)


def answered(box, source, there, verb, meanwhile):
    """What came of a mirror that is agreed to after `meanwhile()`."""
    with asked(box, source, there, verb) as (running, terminal):
        until_asked(terminal)
        meanwhile()
        os.write(terminal, b"y\n")
        _, stderr = until_it_ends(running, terminal)
    return running.returncode, stderr


@BY_BOTH
def test_no_more_goes_than_was_shown(box, source, there, verb):
    # As if a disk were gone at the source.
    status, stderr = answered(box, source, there, verb,
                              lambda: shutil.rmtree(os.path.join(source, "d")))
    assert status == PARTIAL
    assert b"it is not among what was shown" in stderr
    assert os.path.exists(os.path.join(there, "d/keep"))


@BY_BOTH
def test_nothing_else_goes_than_was_shown(box, source, there, verb):
    """As many, but not the same."""
    def swap():
        os.rename(os.path.join(source, "keep"), os.path.join(source, "gone"))
    status, stderr = answered(box, source, there, verb, swap)
    assert status == PARTIAL
    assert b"it is not among what was shown" in stderr
    assert trees.read(os.path.join(there, "keep")) == b"keep"
    left = [name for name in GONE if os.path.lexists(os.path.join(there, name))]
    assert left == ["gone"], "it is at the source now"


@BY_BOTH
def test_what_was_made_while_it_asked_stays(box, source, there, verb):
    made = ("a-new", "d/a-new", "old/a-new")

    def make():
        for name in made:
            trees.write(os.path.join(there, name), b"just written")
    status, _stderr = answered(box, source, there, verb, make)
    assert status == PARTIAL
    for name in made:
        assert trees.read(os.path.join(there, name)) == b"just written"
    stays = {"old", "old/f", "old/deep/g", "old/deep"}  # their directory was changed
    assert {name for name in GONE if os.path.lexists(os.path.join(there, name))} == stays


@BOTH
def test_a_directory_that_is_moved_there_meanwhile_stays(box, source, there, mirror):
    """The kernel stamps the directory as changed, and nothing in it."""
    project, moved = os.path.join(box, "project"), os.path.join(there, "project")
    trees.write(os.path.join(project, "deep/precious"), b"precious")
    trees.write(os.path.join(source, "d/large"), os.urandom(3 << 20))

    def move():
        wait_until(lambda: trees.partials(there), "a file is under way")
        os.rename(project, moved)
    mover = threading.Thread(target=move)
    mover.start()
    done = mirror(box, source, there, "--delete", "--yes", "--bwlimit", "2M")
    mover.join()
    done.expect(PARTIAL)
    assert done.failed() == {"project": "changed"}
    assert trees.read(os.path.join(moved, "deep/precious")) == b"precious"
    assert not any(os.path.lexists(os.path.join(there, name)) for name in GONE)


@BOTH
def test_all_names_of_a_file_go_at_once(box, source, there, mirror):
    trees.write(os.path.join(source, "z/keep"), b"new")
    names = [os.path.join(there, name) for name in ("h1", "d/h2", "old/h3", "z/keep", "z/h4")]
    trees.write(names[0], b"of many names")
    os.makedirs(os.path.join(there, "z"))
    for name in names[1:]:
        os.link(names[0], name)
    mirror(box, source, there, "--delete", "--yes").expect(SUCCESS)
    trees.assert_same(source, there)


@BOTH
def test_what_cannot_be_looked_at_is_shown_too(box, source, there, mirror, root):
    mounted = os.path.join(there, "old")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    try:
        done = mirror(box, source, there, "--delete", "-n").expect(PARTIAL)
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert {event["path"] for event in done.events
            if event["event"] == "planned" and event["action"] == "conflict"} == {"old"}


def test_help_names_it(box):
    for verb in ("get", "put"):
        assert b"--delete" in command(box, verb, "--help").expect(SUCCESS).stdout


@BOTH
def test_what_is_done_to_one_name_is_no_change_of_the_others(box, source, there, mirror):
    """A file that gets another name, and one that gets another mode, have names that go."""
    for path in (source, there):
        trees.write(os.path.join(path, "one/a"), b"renamed", mtime_ns=10**18)
        trees.write(os.path.join(path, "two/a"), b"of another mode", mtime_ns=10**18)
        os.link(os.path.join(path, "one/a"), os.path.join(path, "one/b"))
    os.rename(os.path.join(source, "one/b"), os.path.join(source, "one/c"))
    os.chmod(os.path.join(source, "two/a"), 0o600)
    os.link(os.path.join(there, "two/a"), os.path.join(there, "two/z"))
    mirror(box, source, there, "--delete", "--yes").expect(SUCCESS)
    trees.assert_same(source, there)
