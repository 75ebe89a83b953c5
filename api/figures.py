"""What is answered of use: shapes of figures, and nothing else. Numbers are of records, and of bytes as they were written."""

from __future__ import annotations

from pydantic import BaseModel, Field

UPPER_BOUND = (
    "Of MQTT, where Mosquitto delivers, it is counted what was published while the agreement was live. That is an upper bound:"
    " an application may have listened to less, or not at all. HTTP, with Server-Sent Events, is counted as it was sent."
)


class Amount(BaseModel):
    records: int = 0
    bytes: int = 0


class HourOfUse(BaseModel):
    hour: str = Field(description="Its beginning.")
    live: Amount = Field(description="Published over MQTT while the agreement was live: an upper bound.")
    http: Amount = Field(description="Sent over HTTP: history and Server-Sent Events.")


class QuotaLeft(BaseModel):
    per: str
    begins: str = Field(description="Of the present day or month.")
    ends: str
    records: int | None = Field(description="That may still be delivered; null: not limited.")
    bytes: int | None


class UseOfAgreement(BaseModel):
    agreement: str
    offer: str
    live: Amount = Field(description="Of all hours that are shown.")
    http: Amount
    live_is: str = UPPER_BOUND
    quota: QuotaLeft | None = Field(description="Null: its terms have none, or it has ended.")
    hours: list[HourOfUse]


class UseByOne(BaseModel):
    agreement: str | None = Field(
        description="Null: whoever came without one, where access is open; live, what was published at all."
    )
    live: Amount
    http: Amount
    hours: list[HourOfUse]


class UseOfOffer(BaseModel):
    offer: str
    live_is: str = UPPER_BOUND
    uses: list[UseByOne]
