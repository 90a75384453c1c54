"""What a running process asks of the kernel, as strace saw it.

Times are seconds of the wall clock, which all processes of a machine share. strace holds a thread at
the start and at the end of each call while it takes the time, so that what one thread does because
another's call has ended always shows the later time, between processes too.
"""
import dataclasses
import re
import subprocess

from cluster import eventually

WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2")
SENDS = ("sendto", "sendmsg", "sendmmsg", "write", "writev")
RECEIVES = ("recvfrom", "recvmsg", "read", "readv")
# Not sync_file_range: it promises nothing about a power loss.
SYNCS = ("fdatasync", "fsync")
TRACED = sorted({*WRITES, *SENDS, *RECEIVES, *SYNCS})
BYTES_SHOWN = 4096  # Of each buffer.

_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_RESULT = r"\) += (-?\d+|\?).*?(?: <(\d+\.\d+)>)?"
_WHOLE = re.compile(r"(\w+)\((.*)" + _RESULT)
_BEGUN = re.compile(r"(\w+)\((.*) <(?:unfinished|detached) \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)" + _RESULT)
_TARGET = re.compile(r"\d+<(.*?)>(?:,|$)")


class NotPermitted(Exception):
    """This machine lets nobody trace."""


@dataclasses.dataclass
class Call:
    """One system call. `ended` and `result` are None while it has not returned."""

    name: str
    arguments: str
    began: float
    ended: float = None
    result: int = None

    def target(self):
        """What its descriptor is: a path, or TCP:[here:port->there:port]."""
        found = _TARGET.match(self.arguments)
        return found.group(1) if found else ""

    def is_done(self):
        """It returned, and not with an error."""
        return self.result is not None and self.result >= 0


def parse(text):
    """The calls in a trace, by the time at which they began."""
    calls = []
    open_calls = {}  # By thread: a thread is in one call at a time.
    for line in text.splitlines():
        parts = _LINE.fullmatch(line)
        if not parts:
            continue
        thread, at, said = parts.group(1), float(parts.group(2)), parts.group(3)
        if resumed := _RESUMED.fullmatch(said):
            call = open_calls.pop(thread, None)
            if call and call.name == resumed.group(1):
                call.arguments += resumed.group(2)
                call.ended = at
                call.result = _number(resumed.group(3))
        elif whole := _WHOLE.fullmatch(said):
            name, arguments, result, took = whole.groups()
            calls.append(Call(name, arguments, at, at + float(took or 0), _number(result)))
        elif begun := _BEGUN.fullmatch(said):
            open_calls[thread] = Call(begun.group(1), begun.group(2), at)
            calls.append(open_calls[thread])
    return sorted(calls, key=lambda call: call.began)


def _number(result):
    return None if result == "?" else int(result)


class Trace:
    """strace on all threads of a running process, from the constructor's end until `stop`.

    Each sync takes sync_delay seconds longer than it would: whoever does not wait for it is then
    ahead of it by more than chance. With sync_error, an errno's name, no sync is done and each fails.
    With a path, only calls on that file are seen and changed. NotPermitted where the machine allows
    no tracing.
    """

    def __init__(self, pid, file, sync_delay=0.0, sync_error=None, path=None, calls=TRACED):
        self.file = file
        self.said = file.with_suffix(".said")
        command = ["strace", "--follow-forks", "--absolute-timestamps=unix,us", "--syscall-times=us",
                   "--decode-fds=all", f"--string-limit={BYTES_SHOWN}", f"--trace={','.join(calls)}",
                   f"--output={file}", f"--attach={pid}"]
        if sync_delay:
            command.append(f"--inject={','.join(SYNCS)}:delay_enter={int(sync_delay * 1e6)}")
        if sync_error:
            command.append(f"--inject={','.join(SYNCS)}:error={sync_error}")
        if path:
            command.append(f"--trace-path={path}")
        with open(self.said, "wb") as said:
            # setpriv: if the test run itself is killed, nothing stays traced.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command],
                                            stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            eventually(self._is_attached, what=f"strace attached to process {pid}")
        except BaseException:
            self.stop()
            raise

    def _is_attached(self):
        ended = self.process.poll() is not None
        said = self.said.read_text(errors="replace")
        if ended and "not permitted" in said:
            raise NotPermitted(said.strip())
        assert not ended, f"strace ended: {said}"
        return re.search(r"^strace: Process \d+ attached", said, re.MULTILINE)

    def stop(self):
        """Lets the process go on untraced; what was seen is in the file then."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)

    def calls(self):
        """What was seen, after `stop`."""
        return parse(self.file.read_text(encoding="ascii", errors="replace"))
