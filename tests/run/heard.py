"""What a run says in words, noted instead of written."""

from __future__ import annotations

from cli.output.lines import Words


class Heard(Words):
    """Words that are noted instead of written."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def error(self, text: str, longest: int = 0) -> None:
        self.said.append(f"error: {text}")

    def of_other(self, text: str) -> None:
        self.said.append(f"other: {text}")
