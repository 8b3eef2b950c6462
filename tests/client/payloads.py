"""Documents as the platform sends them; what a test cares for is given by keyword."""

from typing import Any


def app(name: str = "demo", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{name}-id",
        "name": name,
        "git_url": f"http://localhost:5080/{name}.git",
        "web_url": f"http://{name}.localhost:5080/",
        "owner": {"id": "u1", "email": "ada@example.com"},
        "region": {"id": "r1", "name": "local"},
        "stack": {"id": "s1", "name": "local-1"},
        "maintenance": False,
        "repo_size": None,
        "slug_size": 2048,
        "created_at": "2026-11-23T18:40:01Z",
        "updated_at": "2026-11-23T18:40:01Z",
    } | more


def addon(name: str = "dj-round-1", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{name}-id",
        "name": name,
        "addon_service": {"id": "s1", "name": "dj"},
        "app": {"id": "demo-id", "name": "demo"},
        "billed_price": {"cents": 0, "contract": False, "unit": "month"},
        "config_vars": ["DJ_PLAN"],
        "plan": {"id": "p1", "name": "dj:single", "price": {"cents": 0, "contract": False, "unit": "month"}},
        "state": "provisioned",
        "created_at": "2026-11-23T18:40:01Z",
    } | more


def dyno(name: str = "worker.1", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{name}-id",
        "name": name,
        "type": name.partition(".")[0],
        "state": "up",
        "command": "rake jobs:work",
        "size": "Basic",
        "attach_url": None,
        "created_at": "2026-11-23T18:40:01Z",
        "updated_at": "2026-11-23T18:40:01Z",
        "release": {"id": "r7", "version": 7},
    } | more


def release(version: int = 7, **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{version}",
        "version": version,
        "description": "Deploy abc12345",
        "status": "succeeded",
        "current": False,
        "user": {"id": "u1", "email": "ada@example.com"},
        "slug": None,
        "eligible_for_rollback": True,
        "output_stream_url": None,
        "created_at": "2026-11-23T18:40:01Z",
    } | more


def problem(id: str, message: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "message": message} | more
