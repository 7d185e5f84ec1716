"""The time that scripts see, and what runs by it beside their callbacks.

    script_time   ours live, the recording's in a replay; and the threads beside the callbacks
    turns         one thread of the scripts at a time, in recorded time
    cron          methods that run by a schedule

Each imports only what stands below it.
"""
