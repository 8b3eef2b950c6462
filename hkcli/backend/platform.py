"""The platform, put together: the store, what runs, and where it is reached."""

from dataclasses import dataclass

from hkcli.backend.addons.partner_resources import PartnerResources
from hkcli.backend.addons.postgresql_copies import Copies
from hkcli.backend.answers import Answers
from hkcli.backend.browser_logins import BrowserLogins
from hkcli.backend.builds import Builds
from hkcli.backend.dashboard.links import Links
from hkcli.backend.dashboard.watch import Watches
from hkcli.backend.ending import Ending
from hkcli.backend.faults import Faults
from hkcli.backend.handover import Handover
from hkcli.backend.home import Home
from hkcli.backend.live_output import LiveOutputs
from hkcli.backend.logplex import Logplex
from hkcli.backend.provisioning import Provisioning
from hkcli.backend.rate_limits import RateLimits
from hkcli.backend.repositories import Repositories
from hkcli.backend.schemas import Urls
from hkcli.backend.sources import Sources
from hkcli.backend.store import Store
from hkcli.backend.supervisor import Supervisor
from hkcli.backend.tickets import Seal
from hkcli.backend.work import Works


@dataclass(frozen=True)
class Platform:
    """What the routes need; made by the server, handed to each request."""

    home: Home
    copies: Copies
    store: Store
    answers: Answers
    works: Works
    logplex: Logplex
    supervisor: Supervisor
    repositories: Repositories
    builds: Builds
    sources: Sources
    outputs: LiveOutputs
    provisioning: Provisioning
    partners: PartnerResources
    urls: Urls
    seal: Seal
    links: Links
    """To dashboards of ours."""
    partner_links: Links
    """To those of third parties."""
    watches: Watches
    ca_pem: str
    rate_limits: RateLimits
    faults: Faults
    handover: Handover
    ending: Ending
    browser_logins: BrowserLogins
