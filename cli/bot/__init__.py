"""The bot host: runs a script's signal bot on the live streams of any venue, or on a recording.

Market data come from the run loop to `host`, wait as `jobs`, and become calls of each script's callbacks at its `seat`.
What a script emits comes through `script_api` back to its seat, and goes from `host` to `outlet`, `serving` and to
what relays it in the room `hub`. The time that it all happens in is of the room `timing`, and what each script imports
of its own is of the room `own`.

    command       `mon bot run` and its options
    host          one run, from the scripts' files to its end; it puts the others together
    seats         all scripts of a run, the threads that run them, and what each needs
    serving       the feed and webhooks of the scripts
    door          how many connections that may have, and for how long
    forms         what is posted to webhooks as a form
    outlet        signals and messages on their way to the reader
    view          the table of signals and messages
    history       candles from before the start
    markets       which markets are watched, where their data come from, and how they stand
    report        the summary of a run as a person reads it, and as JSON
    lag           how far a script is behind, and the pace of a replay
    runner        a thread that runs scripts
    seat          one script: what it is called with, and what it emits
    summary       what the position signals would have brought
    jobs          what waits for a script
    plan          what the user asked for, and which streams of which venue that needs
    script        how a script is loaded, and what its class defines
    attributes    `--set`: what the user sets of a script
    script_api    what a script imports, and what it emits, checked
    knowledge     what a script can look up
    market_data   quotes, trades and candles as a script gets them
    bars          candles as numpy arrays; nothing else needs numpy
    speech        what the host and the scripts say, tracebacks included

Each imports only what stands below it.
"""
