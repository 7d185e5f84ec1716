"""A bot's own feed and webhooks, opened: with which token, and how people get to know where they are."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from cli.bot.server import BotServer
from cli.settings import config
from venues.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cli.bot.script import Bot
    from cli.bot.speech import Voice
    from cli.output.lines import Words
    from cli.settings.environment import Source
    from venues.redaction import Redactor


async def serve(
    bot: Bot,
    listen: tuple[str, int],
    *,
    call: Callable[[Callable[[], Any]], Awaitable[Any]],
    report: Callable[[BaseException], str],
    voice: Voice,
    words: Words,
    redactor: Redactor,
) -> tuple[BotServer, str | None]:
    """A server that runs, and its token where that is of our own making, since only we know it then.

    `call` and `report` as of `BotServer`.

    Raises:
        SetupError: the address or the configured token cannot be had.
    """
    host, port = listen
    source = config.load().bot_token()
    token = secrets.token_urlsafe(24) if source is None else await _configured(source, redactor)
    server = BotServer(host, port, token, bot.routes, call, voice.say, report)
    await server.start()
    names = [f"{method} {name}" for method, name in bot.routes] or ["none: the script has no @http.route"]
    where = f"its feed: {server.shown_feed_url}\nits webhooks: {server.shown_webhook_url}/NAME ({', '.join(names)})"
    if source is None:
        words.error(f"the bot's token: {token}\n{where}")  # also for who wants quiet: nobody else knows it
    else:
        words.say(f"the bot's token: the one set as {source.origin}\n{where}")
    if not is_loopback(f"ws://[{host}]" if ":" in host else f"ws://{host}"):
        words.say("whoever can listen on the network between a reader and this machine can see the token")
    return server, token if source is None else None


async def _configured(source: Source, redactor: Redactor) -> str:
    from cli.settings.credentials import obtain

    token = await asyncio.to_thread(obtain, "token", source)
    redactor.learn({"token": token})
    return token
