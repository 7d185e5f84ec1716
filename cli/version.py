"""Which `mon` this is; nothing is loaded for it."""

VERSION = "0.1.0"
USER_AGENT = f"mon/{VERSION}"  # of every HTTP request of ours
