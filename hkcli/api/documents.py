"""The API's documents, as far as this client reads them. Names and meanings: Platform API v3 reference."""

from typing import NotRequired, TypedDict


class Ref(TypedDict):
    id: str
    name: str


class User(TypedDict):
    id: str
    email: str


class Account(User):
    name: str | None


class App(TypedDict):
    id: str
    name: str
    git_url: str
    web_url: str | None
    owner: User
    region: Ref
    stack: Ref
    team: NotRequired[Ref | None]
    space: NotRequired[Ref | None]
    build_stack: NotRequired[Ref]
    maintenance: bool
    acm: NotRequired[bool | None]
    repo_size: int | None
    slug_size: int | None
    created_at: str
    updated_at: str


class Price(TypedDict):
    cents: int
    contract: NotRequired[bool]
    metered: NotRequired[bool]
    unit: str


class Plan(TypedDict):
    id: str
    name: str
    human_name: NotRequired[str]
    description: NotRequired[str]
    default: NotRequired[bool]
    price: NotRequired[Price]


class AddonService(TypedDict):
    id: str
    name: str
    human_name: str
    state: str


class AddonRef(Ref):
    app: Ref


class Attachment(TypedDict):
    id: str
    name: str
    addon: AddonRef
    app: Ref
    web_url: NotRequired[str | None]


class Addon(TypedDict):
    id: str
    name: str
    addon_service: Ref
    app: Ref
    billed_price: Price | None
    config_vars: list[str]
    plan: Plan
    state: str
    created_at: str
    web_url: NotRequired[str | None]
    provision_message: NotRequired[str]
    attachments: NotRequired[list[Attachment]]
    """Not the platform's: put there from its list of attachments."""


class Formation(TypedDict):
    type: str
    quantity: int
    size: str
    command: str


class DynoRelease(TypedDict):
    id: str
    version: int


class Dyno(TypedDict):
    id: str
    name: str
    type: str
    state: str
    command: str
    size: str
    attach_url: str | None
    created_at: str
    updated_at: str
    release: DynoRelease


class Slug(TypedDict):
    id: str


class Release(TypedDict):
    id: str
    version: int
    description: str
    status: str
    current: bool
    user: User
    slug: Slug | None
    eligible_for_rollback: bool
    output_stream_url: str | None
    created_at: str


class LogSession(TypedDict):
    id: str
    logplex_url: str


class AccessToken(TypedDict):
    id: str
    token: str
    expires_in: int | None


class Authorization(TypedDict):
    id: str
    description: str
    access_token: AccessToken | None
    user: User
    scope: NotRequired[list[str]]
    client: NotRequired[Ref | None]


class Collaborator(TypedDict):
    id: str
    user: User
    role: NotRequired[str | None]
    permissions: NotRequired[list[Ref]]


class Domain(TypedDict):
    id: str
    hostname: str
    cname: str | None
    kind: str
    status: str
    acm_status: NotRequired[str | None]


class Drain(TypedDict):
    id: str
    token: str
    url: str
    addon: Ref | None


class Feature(TypedDict):
    id: str
    name: str
    description: str
    doc_url: str
    enabled: bool
    state: str


class BuildpackName(TypedDict):
    name: str
    url: str


class Buildpack(TypedDict):
    ordinal: int
    buildpack: BuildpackName


class Key(TypedDict):
    id: str
    email: str
    fingerprint: str
    public_key: str
    comment: NotRequired[str | None]


class Region(TypedDict):
    id: str
    name: str
    description: str
    country: str
    locale: str
    private_capable: bool


class Stack(TypedDict):
    id: str
    name: str
    state: str
    default: NotRequired[bool]


class SystemStatus(TypedDict):
    system: str
    status: str


class IncidentUpdate(TypedDict):
    update_type: str
    updated_at: str
    contents: str


class Incident(TypedDict):
    title: str
    created_at: str
    full_url: str
    updates: list[IncidentUpdate]


class PlatformStatus(TypedDict):
    status: list[SystemStatus]
    incidents: list[Incident]
