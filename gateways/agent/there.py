"""Which tags are there, as a source's places in the outbox: `{source}/there/{tag}`, so that a restart tells no arrival twice. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from broker.smoothing import Changes, Seen, Sight

_seen = msgspec.json.Decoder(Seen).decode


def places_of(source: str, changes: Changes) -> dict[str, str]:
    """What is to be kept; empty of what is gone."""
    return {
        f"{source}/there/{msgspec.json.encode(seen).decode()}": f"{sight.last} {sight.told}" if sight else ""
        for seen, sight in changes.items()
    }


def there(source: str, places: Mapping[str, str], now: int) -> dict[Seen, Sight]:
    """What was kept. `now` (ns): from when on it counts that nothing comes."""
    begin = f"{source}/there/"
    found = {_seen(name.removeprefix(begin)): at.split() for name, at in places.items() if name.startswith(begin)}
    return {seen: Sight(int(last), int(told), now) for seen, (last, told) in found.items()}
