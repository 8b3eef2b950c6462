"""Dashboards of add-ons, for browsers: a link is exchanged for a cookie, then pages, a live stream, and changes."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from hkcli.backend.dashboard import access, jobs, pages
from hkcli.backend.dashboard.access import Visitor
from hkcli.backend.dashboard.watch import Watch
from hkcli.backend.errors import BadRequest, Forbidden, NotFound, PlatformError
from hkcli.backend.platform import Platform

MAX_FORM_BYTES = 64 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

Action = Callable[[Request, Platform, Visitor], Awaitable[Response]]


def page(method: str, path: str, action: Action) -> Route:
    """A page for somebody who was let in. What goes wrong is said on a page as well."""

    async def endpoint(request: Request) -> Response:
        platform: Platform = request.app.state.platform
        try:
            who = access.visitor(request)
        except Forbidden as error:
            return message("This page opens by a link", error.message, 403, "heroku addons:open dj --app APP")
        try:
            return await action(request, platform, who)
        except PlatformError as error:
            base = f"/dashboard/{request.path_params['addon']}/"
            return message("That did not work", error.message, error.status, back=base, back_text="To the overview")

    return Route(f"/dashboard/{{addon}}{path}", endpoint, methods=[method])


def message(title: str, text: str, status: int, command: str = "", back: str = "", back_text: str = "") -> Response:
    values = {"title": title, "text": text, "command": command, "back": back, "back_text": back_text}
    return HTMLResponse(pages.render("message", **values), status, HEADERS)


def is_only_a_look(request: Request) -> bool:
    """Whether nobody is about to see the page: a link that works once is not used up by that."""
    return request.method != "GET" or "prefetch" in request.headers.get("sec-purpose", "")


def link_has_ended(command: str) -> Response:
    return message("The link has ended", "This link was used already, or is too old. Ask for a new one:", 403, command)


def shown(request: Request, who: Visitor, template: str, **values: Any) -> Response:
    standard = {"who": who, "path": request.url.path, "here": template, "heading": "", "said": ""}
    return HTMLResponse(pages.render(template, **(standard | values)), headers=HEADERS)


async def opening(request: Request) -> Response:
    """Takes the link's ticket. The page leads on by itself, so that even from elsewhere the cookie is sent along."""
    platform: Platform = request.app.state.platform
    if is_only_a_look(request):
        return Response(status_code=503, headers=HEADERS)
    try:
        user_id, addon_id = platform.links.take(request.path_params["ticket"])
    except NotFound:
        return link_has_ended("heroku addons:open dj --app APP")
    response = HTMLResponse(pages.render("opening", target=f"/dashboard/{addon_id}/"), headers=HEADERS)
    access.let_in(platform, request, response, user_id, addon_id)
    return response


async def asset(request: Request) -> Response:
    found = pages.assets().get(request.path_params["name"])
    if found is None:
        raise NotFound("Couldn't find that asset.", "asset")
    return Response(found.content, media_type=found.media_type, headers=HEADERS | FOREVER)


async def overview(request: Request, platform: Platform, who: Visitor) -> Response:
    reading = await platform.watches.of(who.app_id).current()
    said = jobs.said(request.query_params)
    return shown(request, who, "overview", heading=reading.verdict.text, regions=reading.regions, said=said)


# --- the live stream


class Events(StreamingResponse):
    """Server-sent events; whoever makes them learns at once when the reader leaves."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.body_iterator):  # type: ignore[type-var]
            await super().stream_response(send)


async def live(request: Request, platform: Platform, who: Visitor) -> Response:
    watch = platform.watches.of(who.app_id)
    if request.method == "HEAD":
        return Response(headers=HEADERS)
    watch.check_room()
    return Events(parts(watch, request), headers=HEADERS)


async def parts(watch: Watch, request: Request) -> AsyncIterator[str]:
    """What changed since the last time, as the browser wants it, the first time everything; while it may look."""
    before: dict[str, str] = {}
    async with aclosing(watch.readings()) as readings:
        async for reading in readings:
            try:
                access.visitor(request)
            except Forbidden:
                return
            news = pages.changed(reading.regions, before)
            before = reading.regions
            told = {"version": pages.version(), "at": reading.screen.at.isoformat(), "parts": news}
            yield f"event: parts\ndata: {json.dumps(told)}\n\n"


# --- jobs


async def listing(request: Request, platform: Platform, who: Visitor) -> Response:
    asked = jobs.Asked.of(request.query_params)
    watch = platform.watches.of(who.app_id)
    reading = await watch.current()
    said = jobs.said(request.query_params)
    return shown(request, who, "jobs", said=said, **await watch.ask(jobs.listing, reading, asked))


async def job(request: Request, platform: Platform, who: Visitor) -> Response:
    watch = platform.watches.of(who.app_id)
    reading = await watch.current()
    found = await watch.ask(jobs.detail, reading, request.path_params["id"])
    return shown(request, who, "job", said=jobs.said(request.query_params), **found)


async def confirm(request: Request, platform: Platform, who: Visitor) -> Response:
    change = jobs.Change.of(request.query_params)
    watch = platform.watches.of(who.app_id)
    reading = await watch.current()
    return shown(request, who, "confirm", **await watch.ask(jobs.question, reading, change))


async def act(request: Request, platform: Platform, who: Visitor) -> Response:
    form = await form_of(request)
    access.check_change(request, who, form.get("csrf", ""))
    change = jobs.Change.of(form)
    watch = platform.watches.of(who.app_id)
    reading = await watch.current()
    if change.dyno:
        done = restarted(platform, who, change)
    else:
        done = await watch.ask(jobs.carry_out, reading, change)
    platform.logplex.write(who.app_id, "app", "api", f"Dashboard: {done.told} by user {who.user}")
    return RedirectResponse(f"/dashboard/{who.addon_id}/{change.back(done.query)}", 303, HEADERS)


def restarted(platform: Platform, who: Visitor, change: jobs.Change) -> jobs.Done:
    """Raises NotFound."""
    if change.dyno not in {each.spec.name for each in platform.supervisor.dynos(who.app_id)}:
        raise NotFound("Couldn't find that dyno.", "dyno")
    platform.supervisor.restart(who.app_id, change.dyno)
    return jobs.Done(change.action, 1, 1, change.dyno)


async def form_of(request: Request) -> QueryParams:
    """Raises BadRequest."""
    if int(request.headers.get("content-length") or MAX_FORM_BYTES + 1) > MAX_FORM_BYTES:
        raise BadRequest("The form is too large.")
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise BadRequest("This is not a form.")
    return QueryParams((await request.body()).decode("ascii", "replace"))


ROUTES = [
    Route("/dashboard/open/{ticket}", opening),
    Route("/dashboard/assets/{name}", asset),
    page("GET", "/", overview),
    page("GET", "/live", live),
    page("GET", "/jobs", listing),
    page("GET", "/jobs/{id}", job),
    page("GET", "/confirm", confirm),
    page("POST", "/act", act),
]
