"""Real races, on both sides: what is walked, read or written is swapped while it happens.

Landlock would forgive a path that leads out of the share or the destination, so these lead
elsewhere in it.
"""

import contextlib
import ctypes
import itertools
import os
import random
import threading

import pytest
import trees
from runner import LOCAL_IO, PARTIAL, SUCCESS, UNSAFE, Share, get

AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)


def exchange(one, other):
    """Each gets the other's name, at once: at no time is neither there."""
    return libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other),
                          RENAME_EXCHANGE) == 0


@contextlib.contextmanager
def meanwhile(step):
    """step(number) again and again, until the block is over; then how often."""
    over = threading.Event()
    counted = []

    def run():
        for number in itertools.count():
            if over.is_set():
                counted.append(number)
                return
            step(number)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield counted
    finally:
        over.set()
        thread.join()


# --- threat 5: a directory is swapped for a symlink between check and use ---------------------------

DIRECTORIES, FILES = 20, 40


def make_source(path):
    for directory in range(DIRECTORIES):
        for number in range(FILES):
            trees.write(os.path.join(path, f"d{directory}", f"f{number}"),
                        b"from the host %d %d" % (directory, number), 0o640, 10 ** 18)
        os.symlink("f0", os.path.join(path, f"d{directory}", "link"))
        os.makedirs(os.path.join(path, f"d{directory}", "below", "empty"))
    return path


def plant(directory, private):
    """For each of its directories a symlink that can take its place."""
    for number in range(DIRECTORIES):
        with contextlib.suppress(FileExistsError):
            os.symlink(private, os.path.join(directory, f"planted{number}"))


def swapping(directory):
    def step(number):
        one = number % DIRECTORIES
        exchange(os.path.join(directory, f"d{one}"), os.path.join(directory, f"planted{one}"))
    return step


@pytest.mark.parametrize("extra", [(), ("--overwrite",), ("--fsync",)], ids=lambda extra: str(extra))
def test_nothing_is_written_where_a_swapped_directory_leads(box, extra):
    source = make_source(os.path.join(box, "source"))
    dest = os.path.join(box, "dest")
    private = os.path.join(dest, "private")
    for number in range(0, FILES, 3):
        trees.write(os.path.join(private, f"f{number}"), b"mine", 0o600, 10 ** 17)
    os.chmod(private, 0o700)
    for number in range(DIRECTORIES):
        os.mkdir(os.path.join(dest, f"d{number}"))
    plant(dest, private)
    before = trees.snapshot(private)
    swaps = 0
    with Share(box, source) as share:
        for _ in range(4):
            with meanwhile(swapping(dest)) as counted:
                done = get(box, share.target, dest, *extra)
            swaps += counted[0]
            assert done.status in (SUCCESS, PARTIAL, LOCAL_IO, UNSAFE), done.stderr
            assert trees.snapshot(private) == before, "it was none of the transfer's business"
    assert swaps > 1000


def test_nothing_is_read_where_a_swapped_directory_leads(box):
    share_root = os.path.join(box, "share")
    public, private = os.path.join(share_root, "public"), os.path.join(share_root, "private")
    make_source(public)
    for number in range(FILES):
        trees.write(os.path.join(private, f"f{number}"), b"secret")
    trees.write(os.path.join(private, "below", "secret"), b"secret")
    plant(public, private)
    swaps = 0
    with Share(box, share_root) as share:
        for round_number in range(6):
            dest = os.path.join(box, f"dest{round_number}")
            with meanwhile(swapping(public)) as counted:
                done = get(box, share.target + "/public", dest)
            swaps += counted[0]
            assert done.status in (SUCCESS, PARTIAL), done.stderr
            for directory, _, names in os.walk(dest):
                for name in names:
                    path = os.path.join(directory, name)
                    assert os.path.islink(path) or trees.read(path) != b"secret", path
    assert swaps > 1000


# --- threat 6: what is put where the partial of a file goes -----------------------------------------


def test_nothing_is_written_through_what_is_planted_as_a_partial(box):
    source = make_source(os.path.join(box, "source"))
    dest = os.path.join(box, "dest")
    victim = trees.write(os.path.join(dest, "victim"), b"mine", 0o600, 10 ** 17)
    before = trees.describe(victim)
    spare = os.path.join(dest, "planted")

    def step(_number):
        """Whatever partial is there becomes a link to the victim, hard or soft."""
        for partial in trees.partials(dest)[:5]:
            with contextlib.suppress(OSError):
                os.unlink(spare)
            with contextlib.suppress(OSError):
                make = random.choice((os.link, os.symlink))
                make(victim, os.fsencode(spare))
                exchange(os.fsencode(spare), partial)

    for name in ("d0", "d1"):  # larger: their partials stand for a while
        trees.write(os.path.join(source, name, "large"), trees.random_bytes(20 << 20), 0o644)
    with Share(box, source) as share:
        for extra in ((), ("--overwrite",), ("--overwrite",)):
            with meanwhile(step):
                done = get(box, share.target, dest, *extra)
            assert done.status in (SUCCESS, PARTIAL, LOCAL_IO, UNSAFE), done.stderr
            after = trees.describe(victim)
            assert after == before, "a planted name was written through"


# --- a share that changes while it is fetched -------------------------------------------------------


class Churn:
    """Files that say which version of them they are in every 16 bytes, and change all the time."""

    def __init__(self, root, seed):
        self.root, self.random = root, random.Random(seed)
        self.version = itertools.count()
        for number in range(200):
            self.replace(number)

    def path(self, number):
        return os.path.join(self.root, f"d{number % 7}", f"f{number}")

    def content(self, size):
        return (b"%015d\n" % next(self.version)) * (size // 16)

    def replace(self, number):
        """As editors do it: another file takes the name."""
        path = self.path(number)
        trees.write(path + ".new", self.content(self.random.choice((16, 4096, 300_000, 3 << 20))))
        os.rename(path + ".new", path)

    def append(self, number):
        with contextlib.suppress(FileNotFoundError), open(self.path(number), "r+b") as file:
            line = file.read(16)
            file.seek(0, os.SEEK_END)
            file.write(line * 100)

    def cut(self, number):
        with contextlib.suppress(FileNotFoundError):
            size = os.path.getsize(self.path(number))
            os.truncate(self.path(number), min(size, self.random.randrange(0, 10) * 16))

    def remove(self, number):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(number))

    def move_directory(self, number):
        one = os.path.join(self.root, f"d{number % 7}")
        os.rename(one, one + ".moved")
        if self.random.random() < 0.5:
            os.symlink("elsewhere", one)
            os.unlink(one)
        os.rename(one + ".moved", one)

    def step(self, _number):
        change = self.random.choice((self.replace, self.replace, self.append, self.cut, self.remove,
                                     self.move_directory))
        change(self.random.randrange(200))


def check_versions(dest):
    """How many arrived; each is of one version throughout."""
    count = 0
    for directory, _, names in os.walk(dest):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                continue
            content = trees.read(path)
            assert content == content[:16] * (len(content) // 16), f"{path} mixes two versions"
            count += 1
    return count


@pytest.mark.parametrize("seed", [1, 2])
def test_each_file_of_a_changing_share_is_of_one_version_or_is_reported(box, seed):
    source, dest = os.path.join(box, "source"), os.path.join(box, "dest")
    churn = Churn(source, seed)
    arrived = 0
    with Share(box, source) as share:
        for round_number in range(8):
            with meanwhile(churn.step):
                done = get(box, share.target, dest, *(("--overwrite",) if round_number % 2 else ()))
            assert done.status in (SUCCESS, PARTIAL), done.stderr
            codes = set(done.failed().values())
            # local_io: below a name that was a symlink when it was looked at, and stays one here.
            assert codes <= {"changed", "not_found", "remote_io", "exists", "local_io"}, codes
            arrived += done.summary["files"]
            check_versions(dest)
        # At rest, all of it comes.
        for name in os.listdir(dest):
            if os.path.islink(os.path.join(dest, name)):
                os.unlink(os.path.join(dest, name))
        get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    assert arrived > 100
    for directory, _, names in os.walk(source):
        for name in names:
            path = os.path.join(directory, name)
            copy = os.path.join(dest, os.path.relpath(path, source))
            assert trees.read(copy) == trees.read(path), path
    assert not trees.partials(dest)
