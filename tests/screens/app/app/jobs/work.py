"""Jobs that take a while, or fail, as the screen's tests and pictures want them."""

import time
from dataclasses import dataclass


@dataclass
class MailJob:
    to: str
    seconds: float = 0.05

    def perform(self) -> None:
        time.sleep(self.seconds)


@dataclass
class ReportJob:
    name: str
    seconds: float = 2.0

    def perform(self) -> None:
        time.sleep(self.seconds)


@dataclass
class ImportJob:
    url: str

    def perform(self) -> None:
        raise TimeoutError(f"no answer from {self.url}")


@dataclass
class PrintJob:
    page: int

    def perform(self) -> None:
        raise RuntimeError(f"no paper for page {self.page}")
