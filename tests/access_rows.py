"""Who may use which call and which topic: one row each. `tests/system/test_access_matrix.py` tries every cell on a running broker.

A call of the description or a family of topics that has no row here fails that test: who may use it is to be said before it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.routes.portal import PAGES

WITHOUT_KEY = frozenset({"nobody", "wrong_key", "gateway"})
"""No key, a key that is nobody's, and a gateway's MQTT password in the place of a key."""
ORGANISATIONS = frozenset({"owner", "other", "holder"})
"""Who made the offer; who has nothing to do with it; whose the applications are that agreed, asked and so on."""
APPLICATIONS = frozenset({"agreed", "stranger", "asking", "expired", "revoked", "exhausted", "own"})
"""What each has of the agreement on the offer; `stranger` has none, nor has `own`, which is the owner's."""
SUSPENDED = frozenset({"suspended", "suspended_organisation"})
"""An application that agreed, and its organisation, which the operator suspended."""
OPERATOR = frozenset({"operator"})
KNOWN = OPERATOR | ORGANISATIONS | APPLICATIONS
EVERYONE = KNOWN | SUSPENDED | WITHOUT_KEY
PARTIES = frozenset({"owner", "holder", "agreed"})
"""Of the agreement that is asked about."""
NOT_THE_OWNER = frozenset({"other", "holder"})
OWNER = frozenset({"owner"})
HOLDER = frozenset({"holder", "agreed"})
AGREED = frozenset({"agreed"})
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """Who may use a call. Everyone else is refused: 401 without a valid key, else 403."""

    permitted: frozenset[str]
    absent: frozenset[str] = NONE
    """For whom there is no such thing (404), since they are asked about their own things alone."""
    also: tuple[int, ...] = ()
    """What whoever is let in may be answered besides: the example has something that only a real person or tag has."""
    ends: bool = False
    """Whether what it is about is gone afterwards, so that whoever may is given a scene of its own to try it on."""


ROWS = {
    "post organisations": Row(OPERATOR),
    "get organisations": Row(EVERYONE),
    "get organisations/{organisation}": Row(EVERYONE),
    "patch organisations/{organisation}": Row(OPERATOR | OWNER),
    "delete organisations/{organisation}": Row(OPERATOR | OWNER),
    "put organisations/{organisation}/suspension": Row(OPERATOR, ends=True),
    "delete organisations/{organisation}/suspension": Row(OPERATOR),
    "post gateways": Row(ORGANISATIONS),
    "get gateways": Row(OPERATOR | ORGANISATIONS),
    "get gateways/{gateway}": Row(OPERATOR | OWNER, absent=NOT_THE_OWNER),
    "patch gateways/{gateway}": Row(OWNER, absent=NOT_THE_OWNER),
    "delete gateways/{gateway}": Row(OWNER, absent=NOT_THE_OWNER),
    "get gateways/{gateway}/rejections": Row(OPERATOR | OWNER, absent=NOT_THE_OWNER),
    "post datastreams": Row(OWNER, absent=NOT_THE_OWNER),  # of a gateway that the others do not have
    "get datastreams": Row(OPERATOR | ORGANISATIONS),
    "get datastreams/{datastream}": Row(OPERATOR | OWNER, absent=NOT_THE_OWNER),
    "patch datastreams/{datastream}": Row(OWNER, absent=NOT_THE_OWNER),
    "delete datastreams/{datastream}": Row(OWNER, absent=NOT_THE_OWNER),
    "post offers": Row(OWNER, absent=NOT_THE_OWNER),  # of datastreams that the others do not have
    "get offers": Row(EVERYONE),
    "get offers/{offer}": Row(EVERYONE),
    "put offers/{offer}/terms": Row(OWNER),
    "delete offers/{offer}": Row(OWNER, ends=True),
    "post gateways/{gateway}/logins": Row(OWNER, absent=NOT_THE_OWNER),
    "get gateways/{gateway}/logins": Row(OPERATOR | OWNER, absent=NOT_THE_OWNER),
    "delete gateways/{gateway}/logins/{username}": Row(OWNER, absent=NOT_THE_OWNER, ends=True),
    "post applications/{application}/logins": Row(HOLDER),
    "get applications/{application}/logins": Row(HOLDER),
    "delete applications/{application}/logins/{username}": Row(HOLDER, ends=True),
    "post keys": Row(KNOWN),  # of the caller's own
    "get keys": Row(KNOWN),
    "delete keys/{key}": Row(HOLDER, ends=True),
    "get gateways/{gateway}/suggestions": Row(OPERATOR | OWNER, absent=NOT_THE_OWNER),
    "post gateways/{gateway}/adopt": Row(OWNER, absent=NOT_THE_OWNER, also=(404,)),  # a device that was heard
    "post decode": Row(ORGANISATIONS),
    "post previews": Row(OWNER, absent=NOT_THE_OWNER),
    "post audits": Row(OWNER, absent=NOT_THE_OWNER),
    "post applications": Row(ORGANISATIONS),
    "get applications": Row(OPERATOR | ORGANISATIONS),
    "get applications/{application}": Row(HOLDER),
    "patch applications/{application}": Row(frozenset({"holder"})),
    "delete applications/{application}": Row(HOLDER, ends=True),
    "post agreements": Row(HOLDER),
    "get agreements": Row(ORGANISATIONS | APPLICATIONS),
    "get agreements/{agreement}": Row(PARTIES),
    "post agreements/{agreement}/decision": Row(OWNER, ends=True),
    "post agreements/{agreement}/renewal": Row(HOLDER),
    "delete agreements/{agreement}": Row(PARTIES, ends=True),
    "get agreements/{agreement}/use": Row(PARTIES),
    "get offers/{offer}/use": Row(OWNER),
    "post agreements/{agreement}/charges": Row(OWNER),
    "get agreements/{agreement}/charges": Row(PARTIES),
    "post charges/{charge}/answer": Row(HOLDER),
    "delete charges/{charge}": Row(OWNER, ends=True),
    "post applications/{application}/findings": Row(HOLDER),
    "get findings": Row(EVERYONE),
    "delete findings/{finding}": Row(OPERATOR | HOLDER, ends=True),
    "get transparency": Row(EVERYONE),
    "put organisations/{organisation}/tags": Row(OPERATOR),
    "post consent-codes": Row(ORGANISATIONS, also=(422,)),  # a tag that it gave out
    "post consents": Row(EVERYONE, also=(422,)),  # a code, of which the example is none
    "post consents/withdrawal": Row(EVERYONE, also=(422,)),
    "post consents/export": Row(EVERYONE, also=(422,)),
    "put agreements/{agreement}/suspension": Row(OWNER, ends=True),
    "delete agreements/{agreement}/suspension": Row(OWNER),
    "put applications/{application}/webhook": Row(HOLDER, also=(422,)),  # an address that is found
    "get applications/{application}/webhook": Row(HOLDER, also=(404,)),
    "delete applications/{application}/webhook": Row(HOLDER, also=(404,)),
    "get directory": Row(EVERYONE),
    "get directory/map": Row(EVERYONE),
    "get directory/{organisation}/{datastream}": Row(EVERYONE),
    "get elsewhere": Row(EVERYONE),
    "get sandbox": Row(EVERYONE),
    "get signup": Row(EVERYONE),
    "post signup": Row(EVERYONE, also=(429,)),
    "get signups": Row(OPERATOR),
    "get signups/{signup}": Row(EVERYONE),
    "post signups/{signup}/decision": Row(OPERATOR),
    "post requests": Row(NOT_THE_OWNER),
    "get requests": Row(EVERYONE),
    "get requests/{request}": Row(EVERYONE),
    "put requests/{request}/support": Row(frozenset({"other"})),  # neither who asks nor who is asked
    "delete requests/{request}/support": Row(ORGANISATIONS, also=(404,)),
    "put requests/{request}/answer": Row(OWNER),
    "delete requests/{request}": Row(OPERATOR | {"holder"}, ends=True),
    "post disputes": Row(NOT_THE_OWNER),
    "get disputes": Row(EVERYONE),
    "get disputes/{dispute}": Row(EVERYONE),
    "post disputes/{dispute}/ruling": Row(OPERATOR),
    "delete disputes/{dispute}": Row(OPERATOR | {"holder"}, ends=True),
    "get notices": Row(ORGANISATIONS | APPLICATIONS),
    "delete notices/{notice}": Row(HOLDER, ends=True),
    "get releases/{release}/observations": Row(AGREED),
    "get releases/{release}/latest": Row(AGREED),
    "get releases/{release}/live": Row(AGREED),
    "get offers/{offer}/observations": Row(AGREED),
    "get live": Row(KNOWN | {"nobody"}),  # of all that the caller may read
    "get live?release": Row(AGREED),
    "get releases/{release}/observations of open": Row(KNOWN | {"nobody"}),
    "get releases/{release}/latest of open": Row(KNOWN | {"nobody"}),
    "get releases/{release}/live of open": Row(KNOWN | {"nobody"}),
    "get offers/{offer}/observations of open": Row(KNOWN | {"nobody"}),
    "get ledger": Row(EVERYONE),
    "get ledger/key": Row(EVERYONE),
    "get ledger/checkpoints": Row(EVERYONE),
    "post ledger/checkpoints": Row(EVERYONE),
    "delete ledger/{seq}/texts/{field}": Row(OPERATOR),
    "get /": Row(EVERYONE),
    "get /catalog.jsonld": Row(EVERYONE),
    "get /catalog.ttl": Row(EVERYONE),
    "get /asyncapi.json": Row(EVERYONE),
    "get /v1.1": Row(KNOWN | {"nobody"}),  # of all that the caller may read
    "get /v1.1/{path:path}": Row(KNOWN | {"nobody"}),
    "get /epcis/events": Row(KNOWN | {"nobody"}),  # likewise
    "get /gbfs/{offer}/{feed}.json": Row(AGREED),
    "get /gbfs/{offer}/{feed}.json of open": Row(KNOWN | {"nobody"}),
    "get reconciliation": Row(OPERATOR | ORGANISATIONS),
    "get /healthz": Row(EVERYONE),
    "get /readyz": Row(EVERYONE),
    "get /metrics": Row(OPERATOR),
    # what the description leaves out
    "head releases/{release}/observations": Row(AGREED),
    "head offers/{offer}/observations": Row(AGREED),
    "get /assets/{name}": Row(EVERYONE),
    **{f"get /{page}": Row(EVERYONE) for page in PAGES},
    "get /session": Row(EVERYONE),  # who shows no session's cookie is told that nobody is signed in
    "post /session": Row(EVERYONE, also=(422,)),  # a key, of which the example has none
    "delete /session": Row(EVERYONE),
    "get /session/provider": Row(EVERYONE, also=(404,)),  # where the operator named none
    "get /session/provider/answer": Row(EVERYONE, also=(404,)),
    "get /portal.json": Row(EVERYONE),
    "get /tiles.pmtiles": Row(EVERYONE, also=(404,)),
    "get /openapi.json": Row(EVERYONE),
    "get /ground.geojson": Row(EVERYONE),
}
"""By method and path, that below `/api/v1/` without it. After `?`: with this query parameter, too; `of open`: asked of an open offer."""

CONNECTS = APPLICATIONS | {"gateway", "other_gateway"}
"""Who has an account that Mosquitto lets in; `other_gateway` is another organisation's."""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """What may be done with a topic, or with a filter, to which nobody can publish."""

    topic: str
    publishes: frozenset[str] = NONE
    subscribes: frozenset[str] = NONE
    """Whose subscription is granted: not yet what they hear."""
    hears: frozenset[str] = NONE


GATEWAY = frozenset({"gateway"})
TOPICS = {
    "in": [
        TopicRow("in/{owner}/roof-1/pm25-roof-1", publishes=GATEWAY),
        TopicRow("in/{owner}/roof-1/~", publishes=GATEWAY),
        TopicRow("in/{owner}/roof-2/pm25-roof-1"),
        TopicRow("in/{owner}/pm25-roof-1"),
        TopicRow("in/~"),
        TopicRow("in/#"),
        TopicRow("in/{owner}/roof-1/#"),
    ],
    "frame": [
        TopicRow("frame/{owner}/roof-1/pm25-roof-1", publishes=GATEWAY),
        TopicRow("frame/{owner}/roof-2/pm25-roof-1"),
        TopicRow("frame/#"),
        TopicRow("frame/{owner}/roof-1/#"),
    ],
    "ack": [
        TopicRow("ack/{owner}/roof-1", subscribes=GATEWAY, hears=GATEWAY),
        TopicRow("ack/{owner}/+"),
        TopicRow("ack/#"),
    ],
    "live": [
        TopicRow("live/{owner}/{offer}/pm25-roof-1", subscribes=APPLICATIONS, hears=AGREED),
        TopicRow("live/{owner}/{open}/pm25-roof-1", subscribes=APPLICATIONS, hears=APPLICATIONS),
        TopicRow("live/#", subscribes=APPLICATIONS),
        TopicRow("$share/group/live/#"),
    ],
    "status": [
        TopicRow("status/{owner}/{offer}/pm25-roof-1", subscribes=APPLICATIONS, hears=AGREED),
        TopicRow("status/{owner}/{open}/pm25-roof-1", subscribes=APPLICATIONS, hears=APPLICATIONS),
        TopicRow("status/{owner}/roof-1", subscribes=APPLICATIONS, hears=frozenset({"own"})),
        TopicRow("status/#", subscribes=APPLICATIONS),
    ],
    "v1.1": [
        TopicRow("v1.1/Observations", subscribes=APPLICATIONS, hears=APPLICATIONS),
        TopicRow("v1.1/Datastreams({open_number})/Observations", subscribes=APPLICATIONS, hears=APPLICATIONS),
        TopicRow("v1.1/Datastreams({number})/Observations", subscribes=APPLICATIONS),
        TopicRow("v1.1/#", subscribes=APPLICATIONS),
        TopicRow("$share/group/v1.1/#"),
    ],
    "notices": [
        TopicRow("notices/{application}", subscribes=AGREED, hears=AGREED),
        TopicRow("notices/+"),
        TopicRow("notices/#"),
    ],
    "$CONTROL": [
        TopicRow("$CONTROL/dynamic-security/v1"),
        TopicRow("$CONTROL/dynamic-security/v1/response"),
        TopicRow("$CONTROL/#"),
    ],
    "$SYS": [TopicRow("$SYS/broker/version"), TopicRow("$SYS/#")],
    "": [TopicRow("anything"), TopicRow("anything/at/all"), TopicRow("#"), TopicRow("+/#"), TopicRow("$share/group/#")],
}
"""By family, which is a topic's first level; none: whatever has no family."""
