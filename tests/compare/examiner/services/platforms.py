"""Platforms for developers: issues of a code host, a cluster's pods, an image registry, a CI job's log."""

from __future__ import annotations

from datetime import timedelta

from tests.compare.examiner.fault import add_header, drop, grow, header, lose_header, put, status, text
from tests.compare.examiner.reply import Json, Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, micros, zulu


def _issues(world: World, side: Side) -> Reply:
    repo = f"{side.url}/repos/acme/{world.word()}"
    page = world.number(2, 9)
    body = [_issue(world, repo, 4200 - 7 * i) for i in range(world.number(4, 9))]
    links = f'<{repo}/issues?page={page + 1}>; rel="next", <{repo}/issues?page={page - 1}>; rel="prev"'
    limits = {"Limit": 5000, "Remaining": side.dice.randint(100, 4999), "Reset": side.unix(1800)}
    return Reply(
        body,
        "application/json; charset=utf-8",
        headers=[
            ("Link", links),
            ("X-GitHub-Request-Id", ":".join(side.hex(4).upper() for _ in range(4))),
            ("ETag", f'W/"{side.hex(64)}"'),
            ("Cache-Control", "private, max-age=60, s-maxage=60"),
            ("Vary", "Accept, Authorization"),
            ("Strict-Transport-Security", "max-age=31536000; includeSubdomains; preload"),
            ("X-GitHub-Api-Version-Selected", "2022-11-28"),
            *((f"X-RateLimit-{key}", str(value)) for key, value in limits.items()),
        ],
        target=f"/repos/acme/issues?page={page}",
    )


def _issue(world: World, repo: str, number: int) -> Json:
    created = world.past()
    return {
        "url": f"{repo}/issues/{number}",
        "id": world.number(10**9, 3 * 10**9),
        "node_id": f"I_kwDO{world.base62(12)}",
        "number": number,
        "title": world.title(),
        "user": {"login": world.word(), "id": world.number(1000, 99_999), "site_admin": False},
        "labels": [{"name": label, "color": world.hex(6)} for label in ("bug", "p1", "ui")],
        "state": "open",
        "locked": False,
        "assignee": None,
        "comments": world.number(0, 40),
        "created_at": zulu(created),
        "updated_at": zulu(created + timedelta(hours=5)),
        "body": f"{world.sentence()}\r\n\r\nSee {repo}/commit/{world.hex(40)}",
        "reactions": {"+1": world.number(0, 9), "-1": 0, "url": f"{repo}/issues/{number}/reactions"},
    }


_ISSUE_FAULTS = (
    put("title truncated", 1, "title", to=lambda v: v[:-3]),
    put("id last digit", 0, "id", to=lambda v: v + 1),
    put("number as text", 2, "number", to=str),
    put("true for false", 1, "locked", to=lambda _: True),
    put("year of a stored time", 0, "created_at", to=lambda v: f"{int(v[:4]) - 1}{v[4:]}"),
    put(
        "stored time an hour off",
        2,
        "updated_at",
        to=lambda v: v[:11] + f"{(int(v[11:13]) + 1) % 24:02d}" + v[13:],
    ),
    put("node id", 1, "node_id", to=lambda v: v[:-1] + ("A" if v[-1] != "A" else "B")),
    put("commit in text", 0, "body", to=lambda v: v[:-1] + ("0" if v[-1] != "0" else "1")),
    put("path of a link", 3, "url", to=lambda v: v.replace("/issues/", "/pulls/")),
    put("other repository's host", 3, "url", to=lambda v: "https://evil.example" + v[v.index("/repos") :]),
    drop("list element missing", 2),
    drop("null became absent", 1, "assignee"),
    put("order of labels", 0, "labels", to=lambda v: v[::-1]),
    put("count off by one", 0, "comments", to=lambda v: v + 1),
    put("minus sign", 1, "reactions", "-1", to=lambda _: -1),
    put("colour digit", 2, "labels", 1, "color", to=lambda v: v[:-1] + ("0" if v[-1] != "0" else "1")),
    header("next page", "Link", lambda v: v.replace("page=", "page=1", 1)),
    header("rel of a link", "Link", lambda v: v.replace('rel="prev"', 'rel="last"')),
    header("max-age", "Cache-Control", lambda v: v.replace("max-age=60", "max-age=600", 1)),
    header("vary", "Vary", lambda v: "Accept"),
    lose_header("security header lost", "Strict-Transport-Security"),
    header("version header", "X-GitHub-Api-Version-Selected", lambda _: "2022-11-29"),
    header("rate limit", "X-RateLimit-Limit", lambda _: "60"),
    status("status", 206),
)


def _pods(world: World, side: Side) -> Reply:
    items = [_pod(world) for _ in range(world.number(2, 5))]
    return Reply(
        {
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": str(world.number(10**6, 10**8)), "remainingItemCount": 12},
            "items": items,
        },
        headers=[
            ("Audit-Id", side.uuid()),
            ("Cache-Control", "no-cache, private"),
            ("X-Kubernetes-Pf-Flowschema-Uid", world.uuid()),
            ("Warning", f'299 - "v1 ComponentStatus is deprecated in {world.word()}"'),
        ],
        target="/api/v1/namespaces/shop/pods?limit=5",
    )


def _pod(world: World) -> Json:
    created = world.past(30)
    name = f"{world.word()}-{world.hex(9)}-{world.word()[:5]}"
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": world.uuid(),
            "creationTimestamp": zulu(created),
            "labels": {"app.kubernetes.io/name": world.word(), "pod-template-hash": world.hex(9)},
            "annotations": {},
            "generation": 3,
        },
        "spec": {
            "containers": [
                {
                    "name": container,
                    "image": f"registry.acme.test/{container}:1.4.{world.number(0, 30)}",
                    "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
                    "env": [{"name": "LEVEL", "value": "info"}, {"name": "EMPTY", "value": ""}],
                }
                for container in ("app", "proxy")
            ],
            "terminationGracePeriodSeconds": 30,
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.4.{world.number(0, 255)}.{world.number(1, 254)}",
            "startTime": zulu(created + timedelta(seconds=3)),
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": zulu(created + timedelta(seconds=9))}
                for kind in ("Initialized", "Ready", "PodScheduled")
            ],
        },
    }


_POD_FAULTS = (
    put("phase", "items", 0, "status", "phase", to=lambda _: "Pending"),
    put("image version", "items", 1, "spec", "containers", 0, "image", to=lambda v: v + "1"),
    put("unit", "items", 0, "spec", "containers", 1, "resources", "limits", "memory", to=lambda _: "128Mb"),
    put("condition", "items", 1, "status", "conditions", 1, "status", to=lambda _: "False"),
    put("empty object became null", "items", 0, "metadata", "annotations", to=lambda _: None),
    put("empty object became list", "items", 0, "metadata", "annotations", to=lambda _: []),
    put("seconds", "items", 1, "spec", "terminationGracePeriodSeconds", to=lambda _: 31),
    put("address", "items", 0, "status", "podIP", to=lambda v: v + "0" if not v.endswith("0") else v[:-1]),
    put("resource version", "metadata", "resourceVersion", to=lambda v: str(int(v) + 1)),
    put("remaining", "metadata", "remainingItemCount", to=lambda v: v - 1),
    put("case", "kind", to=lambda _: "podList"),
    drop("missing variable", "items", 0, "spec", "containers", 0, "env", 1),
    grow("container added", "items", 1, "spec", "containers", key=2, value={"name": "sidecar"}),
    put("hash", "items", 0, "metadata", "labels", "pod-template-hash", to=lambda v: v[::-1] + "0"),
    put("name", "items", 0, "metadata", "name", to=lambda v: v + "x"),
    header("warning text", "Warning", lambda v: v.replace("deprecated", "removed")),
)


def _status(world: World, side: Side) -> Reply:
    name = world.word()
    return Reply(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": f'pods "{name}" not found (request {side.uuid()} at {micros(side.now())})',
            "reason": "NotFound",
            "details": {"name": name, "kind": "pods", "retryAfterSeconds": 5},
            "code": 404,
        },
        status=404,
        headers=[("Audit-Id", side.uuid()), ("X-Content-Type-Options", "nosniff")],
        target=f"/api/v1/pods/{name}",
    )


_STATUS_FAULTS = (
    status("status", 410),
    put("code", "code", to=lambda _: 410),
    put("text beside noise", "message", to=lambda v: v.replace("not found", "is gone")),
    put("name beside noise", "message", to=lambda v: v.replace('"', "'")),
    put("noise lost", "message", to=lambda v: v[: v.index(" (request")]),
    put("retry after", "details", "retryAfterSeconds", to=lambda _: 50),
    lose_header("nosniff lost", "X-Content-Type-Options"),
)


def _manifest(world: World, side: Side) -> Reply:
    digest = f"sha256:{world.hex(64)}"
    layers = [
        {"mediaType": "layer", "size": world.number(10**5, 10**9), "digest": f"sha256:{world.hex(64)}"}
        for _ in "abc"
    ]
    return Reply(
        {"schemaVersion": 2, "config": {"digest": digest, "size": 1469}, "layers": layers},
        "application/vnd.oci.image.manifest.v1+json",
        headers=[
            ("Docker-Content-Digest", digest),
            ("Docker-Distribution-Api-Version", "registry/2.0"),
            ("Location", f"{side.url}/v2/app/manifests/{digest}"),
            ("ETag", f'"{digest}"'),
        ],
        target="/v2/app/manifests/latest",
    )


_MANIFEST_FAULTS = (
    put("digest of a layer", "layers", 1, "digest", to=lambda v: v[:-4] + v[-4:][::-1] + "0"),
    put("other digest", "layers", 2, "digest", to=lambda v: "sha256:" + v[7:][::-1]),
    put("algorithm", "config", "digest", to=lambda v: v.replace("sha256", "sha512")),
    put("size", "layers", 0, "size", to=lambda v: v + 1),
    put("two digests change places", "layers", to=lambda v: [v[1], v[0], v[2]], most=4),
    header("location", "Location", lambda v: v.replace("/manifests/", "/blobs/")),
    header("digest header", "Docker-Content-Digest", lambda v: "sha256:" + v[7:][::-1]),
)


def _log(world: World, side: Side) -> Reply:
    start = world.past(3)
    lines = [f"{micros(start + timedelta(seconds=3 * i))} {world.sentence()}" for i in range(12)]
    lines.append(f"job finished with exit code 0, {world.number(40, 90)} tests")
    lines.append(f"log fetched at {zulu(side.now())} from {side.url}/jobs/77 by {side.uuid()}")
    return Reply("\n".join(lines) + "\n", "text/plain; charset=utf-8", target="/jobs/77/log")


_LOG_FAULTS = (
    text("exit code", "exit code 0", "exit code 1"),
    text("count in text", r"(\d+) tests", lambda m: f"{int(m[1]) + 1} tests"),
    text("path beside noise", "/jobs/77", "/jobs/78"),
    text("line missing", r"\n[^\n]*\n", "\n"),
    text("stored second", r":(\d\d)\.", lambda m: f":{(int(m[1]) + 1) % 60:02d}."),
    text("trailing text", r"\n$", "\nwarning: leak\n"),
    add_header("sunset announced", "Sunset", "Sat, 31 Dec 2039 23:59:59 GMT"),
)

SERVICES = (
    Service("code host issues", _issues, _ISSUE_FAULTS),
    Service("cluster pods", _pods, _POD_FAULTS),
    Service("cluster error", _status, _STATUS_FAULTS),
    Service("image manifest", _manifest, _MANIFEST_FAULTS),
    Service("job log", _log, _LOG_FAULTS),
)
