"""The time that scripts see, what runs by it beside their callbacks, and how long a script that was loaded lasts.

    reload        scripts that are loaded anew when they are saved
    generation    a script as it was loaded once, and its end
    earlier       which recordings of a folder have the candles from before the start
    time_line     the recordings of a replay, one after the other
    stand_ins     `time` and `datetime` as scripts import them in a replay
    script_time   ours live, the recording's in a replay; and the threads beside the callbacks
    turns         one thread of the scripts at a time, in recorded time
    unordered     what a script's source has that makes two replays differ
    work          how much a thread works, and whether it waits
    cron          methods that run by a schedule

Each imports only what stands below it.
"""
