"""What can go wrong, as the tree that commands raise and that one boundary (`cli/dispatch.py`) turns into words.

    HerokuError                   whatever this program says on purpose; exit status 1
    ├── UsageError                the words typed, the environment or the folder are wrong; exit status 2
    │   └── NoAppError            no app, or more than one, could be meant
    ├── NotConfirmed              a dangerous command that was not confirmed
    ├── Unreachable               no answer: refused, unknown host, time-out
    │   └── Untrusted             a certificate that no known authority has signed, or for another name
    ├── ConnectionLost            a stream or an attached dyno broke off
    └── ApiError                  an answer that is not a success; carries the platform's own message and id
        ├── Unauthorized          401
        ├── TwoFactorRequired     403 two_factor
        ├── NotFound              404
        ├── InvalidParams         422
        ├── ConfirmationRequired  any status, id confirmation_required
        └── RateLimited           429

No exception of `requests`, `ssl` or `socket` is seen above `hkcli.api`.
"""

from typing import Any


class HerokuError(Exception):
    """`message` says what happened and why; `next` what to do about it, a line each."""

    exit_status = 1
    id = "failed"

    def __init__(self, message: str, *, next: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.next = next


class UsageError(HerokuError):
    exit_status = 2
    id = "usage"


class NoAppError(UsageError):
    id = "no_app"


class NotConfirmed(HerokuError):
    id = "not_confirmed"


class Unreachable(HerokuError):
    id = "unreachable"


class Untrusted(Unreachable):
    pass


class ConnectionLost(HerokuError):
    id = "connection_lost"


class ApiError(HerokuError):
    """`id` and `message` are the platform's; `request_id` is what its support asks for."""

    def __init__(self, status: int, document: dict[str, Any], request_id: str | None, what: str) -> None:
        message = document.get("message") or f"{what} was answered with HTTP status {status} and no message."
        super().__init__(str(message))
        self.status = status
        self.id = str(document.get("id") or f"http_{status}")
        self.resource = document.get("resource")
        self.url = document.get("url")
        self.request_id = request_id


class Unauthorized(ApiError):
    pass


class TwoFactorRequired(ApiError):
    pass


class NotFound(ApiError):
    pass


class InvalidParams(ApiError):
    pass


class ConfirmationRequired(ApiError):
    pass


class RateLimited(ApiError):
    pass


BY_ID = {"confirmation_required": ConfirmationRequired, "two_factor": TwoFactorRequired}
BY_STATUS = {401: Unauthorized, 404: NotFound, 422: InvalidParams, 429: RateLimited}


def api_error(status: int, document: object, request_id: str | None, what: str) -> ApiError:
    """The error of the tree for an answer; `what` is its request in words, as in `GET https://.../apps`."""
    known = document if isinstance(document, dict) else {}
    kind = BY_ID.get(str(known.get("id"))) or BY_STATUS.get(status, ApiError)
    return kind(status, known, request_id, what)
