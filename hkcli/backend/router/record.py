"""The router's line in an app's log, one a request (PROTOCOL 4.2)."""

from dataclasses import dataclass

from hkcli.backend.router.faults import Code


@dataclass
class Record:
    """Filled in while the request is on its way; what never came to be known stays empty in the line."""

    method: str
    path: str
    host: str
    request_id: str
    fwd: str
    dyno: str = ""
    connect_ms: int | None = None
    service_ms: int | None = None
    status: int = 0
    sent_bytes: int | None = None
    """Of the body."""

    def line(self, code: Code | None = None) -> str:
        at = "at=info"
        if code is not None:
            at = f'at={code.value.level} code={code.name} desc="{code.value.description}"'
        return (
            f"{at} method={self.method} path={quoted(self.path)} host={self.host} request_id={self.request_id}"
            f" fwd={quoted(self.fwd)} dyno={self.dyno} connect={milliseconds(self.connect_ms)}"
            f" service={milliseconds(self.service_ms)} status={self.status}"
            f" bytes={'' if self.sent_bytes is None else self.sent_bytes} protocol=http"
        )


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def milliseconds(value: int | None) -> str:
    return "" if value is None else f"{value}ms"
