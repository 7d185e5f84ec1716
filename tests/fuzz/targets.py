"""What is fuzzed: one entry a line. A later piece that reads what somebody else wrote adds its own.

Name, corpus, what takes a case, and the errors that it may raise (nothing else). See `judge.Target`.
"""

from __future__ import annotations

from functools import partial

from tests.fuzz import files, options, screens, servers, sessions, texts
from tests.fuzz.judge import Target
from venues.errors import BadMessage, ChecksumMismatch, SetupError, UsageError
from venues.simulator import TapeError
from venues.toolkit.decoding import DECODE_ERRORS
from venues.venue import NotOpened

TARGETS: list[Target] = [
    *sessions.session_targets(),
    *sessions.list_targets(),
    Target("protocol.signalr", lambda: sessions.HUB, sessions.signalr),
    Target("protocol.socketio", lambda: sessions.SOCKETIO, sessions.socketio, head=1),
    Target("protocol.packets", lambda: sessions.PACKETS, sessions.packet, (ValueError,)),
    Target("protocol.negotiation", lambda: sessions.NEGOTIATIONS, sessions.negotiate, (NotOpened,)),
    Target("protocol.cookies", lambda: sessions.COOKIES, sessions.cookies),
    Target("file.recording", files.recordings, files.replayed, files.ERRORS_OF_FILES),
    Target("file.history", files.histories, files.remembered, files.ERRORS_OF_FILES),
    Target("file.tape", files.tapes, files.tape, (TapeError,)),
    Target("file.config", files.configs, files.configured, (SetupError,)),
    Target("file.held", lambda: files.HELD, files.held, (SetupError,)),
    Target("file.symbols", files.kept_lists, files.kept),
    Target("text.readers", lambda: texts.TEXTS, texts.read),
    Target("text.json", lambda: texts.JSONS, texts.any_value, (BadMessage, *DECODE_ERRORS)),
    Target("text.conditions", lambda: texts.CONDITIONS, texts.judged, head=1),
    Target("text.checksum", lambda: texts.CHECKSUMS, texts.summed, (BadMessage, ChecksumMismatch)),
    Target("text.sent", lambda: texts.SENT, texts.sent, (UsageError,)),
    Target("text.redaction", lambda: files.ANSWERS, files.redacted),
    Target("screen.keys", lambda: screens.KEYS, screens.sent),
    Target("screen.views", screens.key_cases, screens.pressed, head=2),
    Target("options", options.lines, options.parsed, options.ERRORS),
    Target("bot.request", lambda: servers.REQUESTS, servers.request),
    Target("bot.body", lambda: servers.BODIES, servers.body, head=1),
    Target("bot.reader", lambda: servers.READERS, servers.reader),
    Target("bot.signal", lambda: texts.SIGNALS, texts.signalled),
    Target("bot.cron", lambda: texts.SCHEDULES, texts.scheduled),
    Target("bot.set", lambda: texts.SETTINGS, texts.set_of_scripts, head=1),
    *[
        Target(f"simulator.{name}", partial(servers.clients, name), partial(servers.simulated, name))
        for name in servers.simulators()
    ],
]
