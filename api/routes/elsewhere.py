"""The directory across brokers: what the catalogues of others offer, where it lives and on what terms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from api.harvester import Elsewhere
from broker import times

router = APIRouter(prefix="/api/v1", tags=["directory"])


class DatasetElsewhere(BaseModel):
    address: str = Field(description="Where it lives: its terms are accepted there, and its data stays there.")
    title: str
    description: str
    publisher: str
    licences: list[str]
    open: bool = Field(description="Whether it says that it needs no agreement.")
    keywords: list[str]
    distributions: int


class CatalogueElsewhere(BaseModel):
    catalogue: str = Field(description="The address that is read.")
    read: str | None = Field(description="When it was last read whole; null: it never was.")
    trouble: str | None = Field(description="Why it could not be read since: then what it said last is shown.")
    datasets: list[DatasetElsewhere]


@router.get("/elsewhere")
def elsewhere(
    request: Request,
    search: Annotated[
        str | None, Query(description="In title, description, publisher and keywords", max_length=200, examples=["air"])
    ] = None,
) -> list[CatalogueElsewhere]:
    """What other brokers offer. Public. Written by them, and read from their catalogues now and then."""
    known: Elsewhere = request.app.state.elsewhere
    wanted = (search or "").casefold()
    return [
        CatalogueElsewhere(
            catalogue=one.address,
            read=times.text(one.read) if one.read is not None else None,
            trouble=one.trouble or None,
            datasets=[
                DatasetElsewhere(
                    address=dataset.address,
                    title=dataset.title,
                    description=dataset.description,
                    publisher=dataset.publisher,
                    licences=list(dataset.licences),
                    open=dataset.open,
                    keywords=list(dataset.keywords),
                    distributions=dataset.distributions,
                )
                for dataset in one.datasets
                if wanted
                in " ".join((dataset.title, dataset.description, dataset.publisher, *dataset.keywords)).casefold()
            ],
        )
        for one in known.known.values()
    ]
