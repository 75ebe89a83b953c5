"""A release's history and then what comes live over MQTT, without a gap: subscribe first, then read history, then drop what it had already."""

import asyncio
import json
import os
from itertools import islice
from pathlib import Path

import aiomqtt
import httpx

BROKER, RELEASE = os.environ["BROKER"], os.environ["RELEASE"]
APPLICATION = json.loads(Path(os.environ["APPLICATION"]).read_text())
COUNT = int(os.environ["COUNT"]) if "COUNT" in os.environ else None


def history():
    """All that was released, page by page; the last page is complete or says why not."""
    address = f"{BROKER}/api/v1/releases/{RELEASE}/observations?limit=1000"
    with httpx.Client(headers={"Authorization": f"Bearer {APPLICATION['key']}"}) as client:
        while address:
            page = client.get(address).raise_for_status().json()
            yield from page["observations"]
            address = page.get("next")


def topic():
    """Where the release is published, as /v1.1 says."""
    asked = {"$filter": f"properties/release eq '{RELEASE}'"}
    found = httpx.get(f"{BROKER}/v1.1/Datastreams", params=asked).raise_for_status().json()
    return found["value"][0]["properties"]["topic"]


def observations(payload):
    """A message is one observation or a pack of them."""
    said = json.loads(payload)
    return said if isinstance(said, list) else [said]


async def main():
    login = APPLICATION["mqtt"]
    client = aiomqtt.Client(
        login["host"],
        login["port"],
        username=login["username"],
        password=login["password"],
        identifier=login["client_id_prefix"] + "example",
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    async with client:
        await client.subscribe(topic(), qos=1)
        seen = set()
        for one in await asyncio.to_thread(lambda: list(history())):
            seen.add(one["time"])
            print("history", one["time"], one["value"])
        left = COUNT
        async for message in client.messages:
            for one in islice(observations(message.payload), left):
                if one["time"] not in seen:
                    print("live", one["time"], one["value"], flush=True)
                    left = None if left is None else left - 1
            if left == 0:
                return


asyncio.run(main())
