"""`--relay`: position signals of a bot on their way to a hub.

    relay         what goes out, one after the other, and what becomes of it
    positions     what to send so that the hub has what the bot wants
    held          `--held`: what the hub has at the start, and the file that the relay keeps it in

Each imports only what stands below it.
"""
