"""The bot host: runs a script's signal bot on the live streams of any venue, or on a recording.

Market data come from the run loop to `host`, wait in `runner`, and become calls of the script's callbacks. What the
script emits comes through `script_api` back to `host`, which hands it to `outlet`, `serving` and `relay`.

    command       `mon bot run` and its options
    host          one run, from the script's file to its end; it puts the others together
    relay         `--relay`: position signals on their way to a hub
    held          `--held`: what a hub has at the start, and the file in which that is kept
    positions     what to send so that the hub's position is the bot's last word
    serving       the bot's own feed and webhooks
    door          how many connections that may have, and for how long
    outlet        signals and messages on their way to the reader
    view          the table of signals and messages
    history       candles from before the start
    markets       which markets the bot watches, where their data come from, and how they stand
    report        the summary of a run as a person reads it, and as JSON
    runner        the thread that runs the script, and what waits for it
    summary       what the position signals would have brought
    plan          what the user asked for, and which streams of which venue that needs
    script        how a script is loaded, and what its class defines
    script_api    what a script imports, and what it emits, checked
    market_data   quotes, trades and candles as a script gets them
    bars          candles as numpy arrays; nothing else needs numpy
    speech        what the host and the script say, tracebacks included

Each imports only what stands below it.
"""
