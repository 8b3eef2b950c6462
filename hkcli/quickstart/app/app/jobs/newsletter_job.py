from dataclasses import dataclass


@dataclass
class NewsletterJob:
    text: str
    emails: list[str]

    def perform(self) -> None:
        for email in self.emails:
            print(f"Sent {self.text!r} to {email}")
