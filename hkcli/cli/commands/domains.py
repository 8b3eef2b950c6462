"""Domains: the host names that lead to an app."""

import click

from hkcli.api.documents import Domain
from hkcli.api.errors import HerokuError, NotFound
from hkcli.cli.context import Run, app_command, confirm_option, json_option, wrap_option
from hkcli.cli.dispatch import nearest

POLL_S = 5.0
SETTLED = ("none", "succeeded")


@app_command("domains")
@wrap_option
@json_option
def domains(run: Run, no_wrap: bool, as_json: bool) -> None:
    """List the domains of an app."""
    found = sorted(run.api.domains(run.app), key=lambda each: (each["kind"] != "heroku", each["hostname"]))
    if as_json:
        run.out.json(found)
        return
    custom = [each for each in found if each["kind"] == "custom"]
    if run.out.stdout.isatty():
        run.out.header(f"{run.app} Heroku Domain")
        for each in found:
            if each["kind"] == "heroku":
                run.out.line(each["hostname"])
        if custom:
            run.out.line()
            run.out.header(f"{run.app} Custom Domains")
        else:
            return
    else:
        custom = found
    run.out.table(["Domain Name", "DNS Target", "Status"], [row(each) for each in custom], wraps=not no_wrap)


def row(each: Domain) -> list[str]:
    return [each["hostname"], each["cname"] or "", each["status"]]


@app_command("domains:add")
@click.argument("hostname")
@click.option("-c", "--cert", metavar="NAME", help="certificate of the domain")
@click.option("--wait", is_flag=True, help="until the domain is ready")
@json_option
def domains_add(run: Run, hostname: str, cert: str | None, wait: bool, as_json: bool) -> None:
    """Make a domain lead to an app."""
    with run.out.progress(f"Adding {hostname} to {run.app}"):
        domain = run.api.add_domain(run.app, hostname, cert)
    if wait:
        domain = wait_until_ready(run, domain)
    if as_json:
        run.out.json(domain)
        return
    run.out.line(f"Configure your app's DNS provider to point to the DNS Target {domain['cname']}.")
    if domain["status"] not in SETTLED:
        run.out.talk(f"It is being set up. Wait for it: heroku domains:wait {hostname}")


def wait_until_ready(run: Run, domain: Domain) -> Domain:
    """Raises HerokuError when it fails."""
    import time

    with run.out.progress(f"Waiting for {domain['hostname']}") as step:
        while domain["status"] == "pending":
            time.sleep(POLL_S)
            domain = run.api.domain(run.app, domain["id"])
        if domain["status"] not in SETTLED:
            raise HerokuError(f"The domain {domain['hostname']} is {domain['status']}.")
        step.done(domain["status"])
    return domain


@app_command("domains:wait")
@click.argument("hostname", required=False)
@json_option
def domains_wait(run: Run, hostname: str | None, as_json: bool) -> None:
    """Wait until a domain, or all, are ready."""
    chosen = [domain_named(run, hostname)] if hostname else run.api.domains(run.app)
    ready = [wait_until_ready(run, each) if each["status"] == "pending" else each for each in chosen]
    if as_json:
        run.out.json(ready)
    elif all(each["status"] != "pending" for each in chosen):
        run.out.talk("Nothing is being set up.")


@app_command("domains:info")
@click.argument("hostname")
@json_option
def domains_info(run: Run, hostname: str, as_json: bool) -> None:
    """Show what is known of a domain."""
    domain = domain_named(run, hostname)
    if as_json:
        run.out.json(domain)
        return
    labels = {"hostname": "Hostname", "kind": "Kind", "cname": "DNS target", "status": "Status", "acm_status": "ACM"}
    run.out.pairs({label: domain.get(key) or "" for key, label in labels.items()} | {"ID": domain["id"]})


def domain_named(run: Run, hostname: str) -> Domain:
    try:
        return run.api.domain(run.app, hostname)
    except NotFound as error:
        raise with_near(run, hostname, error) from error


def with_near(run: Run, hostname: str, error: NotFound) -> NotFound:
    """The platform's refusal, with the nearest domains that the app has."""
    if error.resource != "app":
        present = run.api.domains(run.app)
        near = nearest(hostname, [each["hostname"] for each in present if each["kind"] == "custom"])
        error.next = (f"Did you mean: {', '.join(near)}?",) if near else ("See them: heroku domains",)
    return error


@app_command("domains:remove")
@click.argument("hostname")
@json_option
def domains_remove(run: Run, hostname: str, as_json: bool) -> None:
    """Take a domain from an app."""
    try:
        with run.out.progress(f"Removing {hostname} from {run.app}"):
            gone = run.api.remove_domain(run.app, hostname)
    except NotFound as error:
        raise with_near(run, hostname, error) from error
    if as_json:
        run.out.json(gone)


@app_command("domains:clear")
@confirm_option
@json_option
def domains_clear(run: Run, confirm: str | None, as_json: bool) -> None:
    """Take all domains but its own from an app."""
    custom = [each for each in run.api.domains(run.app) if each["kind"] == "custom"]
    if custom:
        run.confirm(confirm, f"This removes {', '.join(each['hostname'] for each in custom)} from {run.app}.")
    with run.out.progress(f"Removing all domains from {run.app}") as step:
        gone: list[Domain] = []
        for each in custom:
            step.reached(len(gone), len(custom))
            gone.append(run.api.remove_domain(run.app, each["hostname"]))
    if as_json:
        run.out.json(gone)
