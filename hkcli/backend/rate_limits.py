"""How many requests an account may make: Heroku's bucket, which fills again little by little."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hkcli.backend.errors import RateLimited

HEROKUS_OWN = 4500
"""Requests an hour on Heroku, and what is said to remain where nothing limits them."""
HOUR_S = 3600


@dataclass
class RateLimits:
    """`per_hour` None counts nothing and refuses nobody."""

    per_hour: int | None = None
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What was left of each user's requests, and when."""

    def remaining(self, user_id: str) -> int:
        return int(self._left(user_id)) if self.per_hour is not None else HEROKUS_OWN

    def take(self, user_id: str, cost: int = 1) -> int:
        """Count a request; how many remain. Raises RateLimited."""
        if self.per_hour is None or cost == 0:
            return self.remaining(user_id)
        left = self._left(user_id)
        if left < cost:
            raise RateLimited(retry_after_s=int((cost - left) * HOUR_S / self.per_hour) + 1)
        self._buckets[user_id] = left - cost, self.clock()
        return int(left - cost)

    def _left(self, user_id: str) -> float:
        assert self.per_hour is not None
        now = self.clock()
        left, then = self._buckets.get(user_id, (float(self.per_hour), now))
        return min(self.per_hour, left + (now - then) * self.per_hour / HOUR_S)
