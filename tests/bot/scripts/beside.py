"""What `with_modules` has beside it."""

from profitview import logger


class Counts:
    """Counts calls."""

    calls = 0

    def is_due(self, every):
        self.calls += 1
        if self.calls == every:
            logger.info("the module beside it has counted to %d", every)
        return self.calls % every == 0
