"""A release's history and then what comes live, without a gap, over HTTP alone: `since` of the last page is where the live stream goes on."""

import os

import httpx
from httpx_sse import connect_sse

BROKER, RELEASE = os.environ["BROKER"], os.environ["RELEASE"]
COUNT = int(os.environ.get("COUNT", 0))
at = f"{BROKER}/api/v1/releases/{RELEASE}"

with httpx.Client(timeout=None) as client:
    address, since = f"{at}/observations?limit=1000", None
    while address:
        page = client.get(address).raise_for_status().json()
        for one in page["observations"]:
            print("history", one["time"], one["value"])
        address, since = page.get("next"), page.get("since", since)
    with connect_sse(client, "GET", f"{at}/live", headers={"Last-Event-ID": since} if since else {}) as stream:
        for number, event in enumerate(stream.iter_sse(), 1):
            one = event.json()
            print("live", one["time"], one["value"], flush=True)
            if number == COUNT:
                break
