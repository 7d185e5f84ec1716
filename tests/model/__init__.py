"""The model of the whole: hypothesis plays venue and user at once, against the real sessions, driver and queues.

`python -m tests.model` runs it. Nothing here sleeps or opens a socket: time is a number (`clock.py`), so hours take
seconds. `speaker.py` says what a venue's side of a protocol is, `speakers.py` lists one for each venue and stream,
`client.py` is everything of `mon` between the socket and the reader, `judge.py` holds the one rule on each record,
`machine.py` has the rules of the game.
"""
