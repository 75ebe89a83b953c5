"""From the configuration to the adapters. What only one of them needs is loaded when it is wanted: a Raspberry Pi has little memory."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from broker import times
from broker.errors import Malformed
from gateways.agent import configuration as conf
from gateways.agent.link import Login
from gateways.agent.sources.source import Source


def make(source: conf.AnySource, login: Login) -> Source:
    """Raises Malformed when a password can't be read."""
    # ruff: noqa: PLC0415 - see above
    match source:
        case conf.FileSource():
            from gateways.agent.sources.file import File

            return File(source.name, source.path, follow=source.follow)
        case conf.MqttSource():
            return _mqtt(source, login)
        case conf.PollSource():
            from gateways.agent.sources.poll import Poll

            headers = dict(source.headers)
            if source.secret_header and source.secret_file:
                headers[source.secret_header] = secret(source.secret_file)
            return Poll(source.name, source.urls, every_s=seconds(source.every), headers=headers)
        case conf.PushSource():
            from gateways.agent.sources.push import Limits, Push

            host, _, port = source.listen.rpartition(":")
            token = secret(source.token_file)
            limits = Limits(source.limit_kb << 10, source.connections, source.per_second)
            return Push(
                source.name, host, int(port), path=source.path, token=token, headers=source.headers, limits=limits
            )
        case conf.LlrpSource():
            from gateways.agent.sources.llrp import Llrp

            every_s = seconds(source.every) if source.every else 0.0
            return Llrp(
                source.name, source.host, source.port,
                antennas=source.antennas, every_s=every_s, power_dbm=source.power_dbm,
            )  # fmt: skip
        case conf.CameraSource():
            return _camera(source)
        case _:
            assert_never(source)


def _camera(source: conf.CameraSource) -> Source:
    from gateways.agent.sources.camera import Camera
    from gateways.agent.sources.rtsp import Rtsp

    kind = Rtsp if source.url.startswith("rtsp") else Camera
    password = secret(source.password_file) if source.password_file else ""
    return kind(source.name, source.url, every_s=seconds(source.every), username=source.username, password=password)


def _mqtt(source: conf.MqttSource, login: Login) -> Source:
    from aiomqtt import ProtocolVersion

    from gateways.agent.sources.mqtt import Account, Mqtt

    url = urlsplit(source.url)
    account = Account(
        url.hostname or "",
        url.port or conf.SCHEMES[url.scheme],
        source.client_id or f"mitoyen-{login.organisation}-{login.gateway}-{source.name}",
        source.username,
        secret(source.password_file) if source.password_file else None,
        conf.tls(source.ca) if url.scheme in ("mqtts", "wss") else None,
        url.scheme in ("ws", "wss"),
        ProtocolVersion.V5 if source.version == "5" else ProtocolVersion.V311,
    )
    return Mqtt(source.name, account, source.topics)


def secret(path: Path) -> str:
    """What a file holds that only its owner may read. Raises Malformed."""
    try:
        if path.stat().st_mode & 0o077:
            raise Malformed(f"{path}: readable by others, expected mode 0600")
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed(f"{path}: {error}") from error
    if not found:
        raise Malformed(f"{path}: expected a password, found nothing")
    return found


def seconds(duration: str) -> float:
    return times.parse_duration(duration) / times.SECOND
