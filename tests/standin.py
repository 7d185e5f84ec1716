"""What a shell runs as `mon` in a test: the warm one of tests/warmed.py, whose signals and end are this process's own.

It is written out as a script, with the address in its place. Without anything of Python's but what is built in or
small, since it is what loading costs that is saved.
"""

import _socket
import array
import json
import os
import signal
import sys

asked = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
asked.connect(ADDRESS)  # type: ignore[name-defined]  # noqa: F821
request = {"arguments": sys.argv, "environment": dict(os.environ), "folder": os.getcwd()}
text = json.dumps(request).encode()
rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
asked.sendmsg([len(text).to_bytes(4, "big")], [rights])
asked.sendall(text)
told = os.fdopen(asked.detach(), "rb")
pid = int(told.readline() or 0)
if not pid:
    os.execv(os.path.join(os.path.dirname(sys.executable), "mon"), sys.argv)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, lambda number, _: os.kill(pid, number))
for number in range(3):
    os.close(number)  # whoever reads the other end of a pipe waits for the real one alone
status = int(told.readline() or 9)
if os.WIFSIGNALED(status):
    if os.WTERMSIG(status) != signal.SIGKILL:
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
os._exit(os.waitstatus_to_exitcode(status))
