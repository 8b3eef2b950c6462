"""Sizes, prices, times and numbers as people read them."""

from datetime import UTC, datetime

from hkcli.api.documents import Price


def size_text(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    amount, units = float(size_bytes), ["B", "KB", "MB", "GB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.0f} {units[0]}"


def price_text(price: Price | None) -> str:
    """As the platform's own pages say it: `free`, or an hour's price and the most a month can cost."""
    if price is None:
        return ""
    if price.get("contract"):
        return "contract"
    if price.get("metered"):
        return "metered"
    if price["cents"] == 0:
        return "free"
    return f"~${price['cents'] / 100 / 720:.3f}/hour (max {monthly_text(price)})"


def monthly_text(price: Price | None) -> str:
    if price is None or price.get("contract") or price.get("metered") or price["cents"] == 0:
        return price_text(price)
    return f"${price['cents'] / 100:.2f}".removesuffix(".00") + "/month"


def parse_time(text: str) -> datetime:
    """The API's `2012-01-01T12:00:00Z`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def ago(then: datetime, now: datetime) -> str:
    """`~ 5m ago`."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit_s, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit_s:
            return f"~ {seconds // unit_s}{letter} ago"
    return f"~ {seconds}s ago"


def jobs_text(count: int) -> str:
    return f"{count:,} job{'s' if count != 1 else ''}"
