"""Who may do what over MQTT, as rules of Mosquitto's dynamic security plugin. Pure.

One role an application and two rules an agreement, because `modifyRole` with the whole list of rules disconnects nobody and
holds from the next message on that is published, for retained ones and those of clients that come back too. Everything that is not named here is denied.
https://mosquitto.org/documentation/dynamic-security/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from broker import topics
from broker.access import NOTHING, Permitted, Used, permit
from broker.model import AgreementId, Application, Gateway, MqttAccount, Offer
from broker.registry.snapshot import Snapshot

RuleKind: TypeAlias = Literal["publishClientSend", "publishClientReceive", "subscribePattern", "subscribeLiteral"]
Command: TypeAlias = dict[str, object]
OPEN = "open"
"""The role of every application: what needs no agreement."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """`allow` for this kind of act on topics that match."""

    kind: RuleKind
    topic: str


Rules: TypeAlias = frozenset[Rule]


@dataclass(frozen=True, slots=True)
class Policy:
    """All that Mosquitto is to know: each role's rules, and each client's roles."""

    roles: Mapping[str, Rules]
    clients: Mapping[str, frozenset[str]]
    disabled: frozenset[str] = frozenset()
    """Clients that may not connect."""


OWN_ROLES: Mapping[str, Rules] = {
    "mitoyen.ingest": frozenset(
        {
            Rule("subscribeLiteral", topics.EVERY_INPUT),
            Rule("subscribePattern", topics.EVERY_INPUT),  # with several partitions, a filter for each organisation
            Rule("publishClientReceive", topics.EVERY_INPUT),
            Rule("publishClientSend", topics.EVERY_INPUT),  # its own mark, and what devices are told in their formats
        }
    ),
    "mitoyen.live": frozenset(
        {
            Rule("publishClientSend", topics.EVERY_LIVE),
            Rule("publishClientSend", topics.EVERY_STATUS),
            Rule("publishClientSend", topics.EVERY_NOTICE),
            Rule("publishClientSend", topics.EVERY_RECEIPT),
        }
    ),
    "mitoyen.cameras": frozenset(
        {
            Rule("subscribeLiteral", topics.EVERY_FRAME),
            Rule("publishClientReceive", topics.EVERY_FRAME),
            Rule("publishClientSend", topics.EVERY_FRAME),  # to take back what was retained
            Rule("publishClientSend", topics.EVERY_LIVE),
            Rule("publishClientSend", topics.EVERY_STATUS),
        }
    ),
    "mitoyen.read": frozenset(
        {Rule("subscribePattern", topics.EVERY_LIVE), Rule("publishClientReceive", topics.EVERY_LIVE)}
    ),
    "mitoyen.things": frozenset({Rule("publishClientSend", topics.EVERY_THING)}),
    "mitoyen.control": frozenset(
        {
            Rule("publishClientSend", topics.CONTROL),
            Rule("publishClientReceive", topics.CONTROL_RESPONSE),
            Rule("subscribeLiteral", topics.CONTROL_RESPONSE),
            Rule("publishClientReceive", topics.DROPPED),
            Rule("subscribeLiteral", topics.DROPPED),
        }
    ),
}
"""Mitoyen's own clients, each with no more than its part needs; client and role have one name."""
THINGS: Rules = frozenset(
    {
        Rule("subscribePattern", topics.EVERY_THING),
        Rule("publishClientReceive", topics.OBSERVATIONS),
        Rule("publishClientReceive", topics.OBSERVATIONS_OF_ANY),
    }
)
"""Part of what needs no agreement. Not a rule a Datastream, which would slow down every delivery: only what anyone may read now is published
there, at QoS 0 and not retained, so that nothing waits for whoever comes later."""


def policy(snapshot: Snapshot, now: int, used: Mapping[AgreementId, Used]) -> Policy:
    """What the registry's present state means for Mosquitto at `now` (ns since 1970); `used`, of agreements with a quota."""
    roles: dict[str, Rules] = dict(OWN_ROLES)
    clients = {name: frozenset({name}) for name in OWN_ROLES}
    roles[OPEN] = THINGS | frozenset(
        rule
        for offer in snapshot.offers.values()
        if offer.terms.access == "open" and isinstance(permit(offer, None, now), Permitted)
        for rule in _reads(offer)
    )
    disabled: set[str] = set()
    for gateway in snapshot.gateways:
        roles[gateway.role] = _of_gateway(gateway)
        for account in gateway.accounts:
            clients[account.username] = frozenset({gateway.role})
            disabled |= {account.username} if gateway.organisation in snapshot.suspended else set()
    for application in snapshot.applications:
        roles[application.role] = _of_application(application, snapshot, now, used)
        for account in application.accounts:
            clients[account.username] = frozenset({application.role, OPEN})
            disabled |= {account.username} if application.organisation in snapshot.suspended else set()
    return Policy(roles, clients, frozenset(disabled))


def document(wanted: Policy, accounts: Iterable[MqttAccount]) -> dict[str, object]:
    """The plugin's configuration file. `accounts` has one for every client of `wanted`."""
    return {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            {
                "username": account.username,
                "password": account.password_hash,
                "salt": account.salt,
                "iterations": account.iterations,
                "roles": _roles_of(wanted, account.username),
                **({"disabled": True} if account.username in wanted.disabled else {}),
            }
            for account in accounts
        ],
        "groups": [],
        "roles": [{"rolename": name, "acls": _acls(rules)} for name, rules in wanted.roles.items()],
    }


def changes(now: Policy, wanted: Policy, passwords: Mapping[str, str], *, disconnecting: bool = False) -> list[Command]:
    """The commands that lead from one policy to the other, what takes away first.

    A client that is to be made needs its password in `passwords`; without, it is left out, so that it can't log in. `disconnecting`: those who
    may do less than before lose their connection, and with it what waits in Mosquitto for one that reads slowly.
    """
    commands: list[Command] = []
    gone = now.clients.keys() - wanted.clients.keys()
    commands.extend({"command": "deleteClient", "username": username} for username in gone)
    commands.extend({"command": "disableClient", "username": name} for name in wanted.disabled - now.disabled - gone)
    commands.extend({"command": "deleteRole", "rolename": name} for name in now.roles.keys() - wanted.roles.keys())
    for name, rules in wanted.roles.items():
        if name not in now.roles:
            commands.append({"command": "createRole", "rolename": name, "acls": _acls(rules)})
        elif now.roles[name] != rules:
            commands.append({"command": "modifyRole", "rolename": name, "acls": _acls(rules)})
    new = (wanted.clients.keys() - now.clients.keys()) & passwords.keys()
    commands.extend(
        {
            "command": "createClient",
            "username": username,
            "password": passwords[username],
            "roles": _roles_of(wanted, username),
        }
        for username in new
    )
    again = (now.disabled - wanted.disabled) & wanted.clients.keys()
    commands.extend({"command": "enableClient", "username": username} for username in again)
    if disconnecting:
        commands.extend(
            {"command": what, "username": username}
            for username in _narrowed(now, wanted)
            for what in ("disableClient", "enableClient")
        )
    return commands


def _narrowed(now: Policy, wanted: Policy) -> list[str]:
    """Clients that stay, and of whose own role a rule is gone; what anyone may read is published to whoever is there."""
    roles = {name for name, rules in now.roles.items() if name != OPEN and rules - wanted.roles.get(name, frozenset())}
    staying = (now.clients.keys() & wanted.clients.keys()) - wanted.disabled
    return sorted(name for name in staying if wanted.clients[name] & roles)


def _of_gateway(gateway: Gateway) -> Rules:
    """It publishes below its own topic and hears its receipts; if it speaks a device's own format, also what it is told there."""
    below = topics.input_of_gateway(gateway.organisation, gateway.id)
    receipts = topics.receipts(gateway.organisation, gateway.id)
    hears = {Rule("subscribeLiteral", receipts), Rule("publishClientReceive", receipts)}
    if gateway.format != "json":
        hears |= {Rule("subscribePattern", below), Rule("publishClientReceive", below)}
    frames = Rule("publishClientSend", topics.frames_of_gateway(gateway.organisation, gateway.id))
    return frozenset({Rule("publishClientSend", below), frames, *hears})


def _of_application(application: Application, snapshot: Snapshot, now: int, used: Mapping[AgreementId, Used]) -> Rules:
    may_read = frozenset(
        rule
        for agreement in snapshot.agreements_of(application.id)
        if (offer := snapshot.offers.get(agreement.offer)) is not None
        and isinstance(permit(offer, agreement, now, used.get(agreement.id, NOTHING)), Permitted)
        for rule in _reads(offer)
    )
    notices = topics.notices(application.id)
    return may_read | {
        Rule("subscribeLiteral", notices),
        Rule("publishClientReceive", notices),
        Rule("subscribePattern", topics.EVERY_LIVE),
        Rule("subscribePattern", topics.EVERY_STATUS),
        Rule("publishClientReceive", topics.status_of_gateways(application.organisation)),
    }


def _reads(offer: Offer) -> tuple[Rule, Rule]:
    """All that an offer releases, and how it does."""
    return (
        Rule("publishClientReceive", topics.live_of_offer(offer.organisation, offer.id)),
        Rule("publishClientReceive", topics.status_of_offer(offer.organisation, offer.id)),
    )


def _acls(rules: Rules) -> list[Command]:
    return [{"acltype": rule.kind, "topic": rule.topic, "priority": 0, "allow": True} for rule in sorted(rules)]


def _roles_of(wanted: Policy, username: str) -> list[Command]:
    return [{"rolename": name, "priority": -1} for name in sorted(wanted.clients[username])]
