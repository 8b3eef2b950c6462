"""What the platform answers when it will not do something.

PlatformError
├── Unauthorized        401  who are you?
├── WrongSecondFactor   401
├── Forbidden           403  not yours
├── TwoFactorRequired   403  the password alone does not do
├── NotFound            404  no such thing; `resource` says of which kind
├── NotAcceptable       406  the Accept header asks for another API
├── Conflict            409  not now
├── RangeNotSatisfiable 416
├── InvalidParams       422  the request cannot be carried out as asked
├── VerificationNeeded  422  the account has no credit card
├── ConfirmationRequired 423 repeat it with `confirm`
├── RateLimited         429  too many requests
├── BadRequest          400  not understood at all
├── NotImplementedHere  501  Heroku serves this, this backend does not yet
├── Restarting          503  another state takes the platform's place, or it ends
└── ServiceUnavailable  503  somebody else, who is needed for it, does not answer
"""

from typing import ClassVar


class PlatformError(Exception):
    """One refusal. Each subclass fixes the HTTP status and Heroku's error `id`."""

    status: ClassVar[int] = 500
    id: ClassVar[str] = "internal_server_error"

    def __init__(self, message: str, *, headers: dict[str, str] | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.details = details

    def document(self) -> dict[str, object]:
        """The error as the API sends it: `id`, `message`, and what else is known (`resource`, `app`, `url`)."""
        return {"id": self.id, "message": self.message, **self.details}


class BadRequest(PlatformError):
    status, id = 400, "bad_request"


class Unauthorized(PlatformError):
    status, id = 401, "unauthorized"

    def __init__(self, message: str = "Invalid credentials provided.") -> None:
        super().__init__(message)


class Forbidden(PlatformError):
    status, id = 403, "forbidden"


class TwoFactorRequired(PlatformError):
    status, id = 403, "two_factor"

    def __init__(self) -> None:
        super().__init__(
            "A second authentication factor is required for this request: send it as `Heroku-Two-Factor-Code`.",
            headers={"Heroku-Two-Factor-Required": "true"},
        )


class WrongSecondFactor(PlatformError):
    status, id = 401, "invalid_two_factor_code"

    def __init__(self) -> None:
        super().__init__("The two-factor code is wrong.")


class NotFound(PlatformError):
    status, id = 404, "not_found"

    def __init__(self, message: str, resource: str) -> None:
        super().__init__(message, resource=resource)


class NotAcceptable(PlatformError):
    status, id = 406, "not_acceptable"


class Conflict(PlatformError):
    status, id = 409, "conflict"


class RangeNotSatisfiable(PlatformError):
    status, id = 416, "requested_range_not_satisfiable"


class InvalidParams(PlatformError):
    status, id = 422, "invalid_params"


class VerificationNeeded(PlatformError):
    status, id = 422, "verification_needed"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Please verify your account to install {what} (please enter a credit card). Verify now at "
            "https://heroku.com/verify",
            url="https://heroku.com/verify",
        )


class ConfirmationRequired(PlatformError):
    status, id = 423, "confirmation_required"

    def __init__(self, message: str, app: str) -> None:
        super().__init__(message, headers={"X-Confirmation-Required": app}, app={"name": app})


class RateLimited(PlatformError):
    status, id = 429, "rate_limit"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "Your account reached the API rate limit. Please wait a few minutes before making new requests.",
            headers={"Retry-After": str(retry_after_s), "RateLimit-Remaining": "0"},
            url="https://devcenter.heroku.com/articles/platform-api-reference#rate-limits",
        )


class NotImplementedHere(PlatformError):
    status, id = 501, "not_implemented"


class ServiceUnavailable(PlatformError):
    status, id = 503, "service_unavailable"


class Restarting(PlatformError):
    status, id = 503, "service_unavailable"

    def __init__(self) -> None:
        super().__init__("The platform is being restored, or ends. Try again.", headers={"Retry-After": "1"})
