"""Which response headers matter, and why the others do not."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

_ASIDE = {
    "hop_by_hop": """
        connection keep-alive proxy-connection proxy-authenticate proxy-authorization transfer-encoding te
        trailer upgrade
    """,
    "timestamp": "date age x-timer x-date x-timestamp",
    "trace": """
        *request-id *requestid *correlation-id *trace-id *traceid *span-id traceparent tracestate baggage b3
        x-b3-* x-amzn-trace-id x-amz-id-2 x-amz-cf-id x-cloud-trace-context uber-trace-id sentry-trace cf-ray
        x-trace x-datadog-* x-ot-* x-goog-trace x-ms-activity-id x-vercel-id x-azure-ref x-guploader-uploadid
        x-debug-token*
    """,
    "infrastructure": """
        server via x-powered-by x-served-by x-backend* x-server* x-cache x-cache-* x-varnish cf-cache-status
        cf-apo-via x-amz-cf-pop x-envoy-* alt-svc nel report-to x-hostname x-host x-node x-instance* x-pod*
        x-upstream* x-proxy-* x-forwarded-* forwarded x-aspnet-version x-aspnetmvc-version x-generator
        x-drupal-cache x-fastcgi-cache cache-status proxy-status x-azure-* server-id x-datacenter x-edge-*
        *-origin-server *-backend-server *-server-name *-hostname *-pod-name *-served-by
    """,
    "duration": """
        server-timing x-response-time* x-runtime x-process-time* x-processing-time* x-elapsed* x-took
        x-request-duration* x-kong-*-latency x-execution-time* x-render-time* x-query-time*
    """,
    "counter": """
        *ratelimit-remaining *ratelimit-reset *ratelimit-used *rate-limit-remaining *rate-limit-reset
        *ratelimit-remaining-* *ratelimit-reset-*
    """,
    "coding": "content-encoding",
    "marker": "x-traffic-mirror x-traffic-mirror-* x-tyk-mirror x-tyk-mirror-*",
}

_EXACT = {name: why for why, globs in _ASIDE.items() for name in globs.split() if "*" not in name}
_GLOBS = [(glob, why) for why, globs in _ASIDE.items() for glob in globs.split() if "*" in glob]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


LISTS = _set("""
    allow vary accept-ranges accept-patch accept-post access-control-allow-methods
    access-control-allow-headers
    access-control-expose-headers cache-control pragma content-language surrogate-control cdn-cache-control
    clear-site-data dav
""")
"""Headers whose value is a list of tokens whose order and case mean nothing."""

DIRECTIVES = _set("content-security-policy content-security-policy-report-only strict-transport-security")
"""Headers whose value is a list of directives between semicolons, in any order."""

DERIVED = _set("""
    content-md5 digest content-digest repr-digest x-content-digest x-amz-crc32 x-goog-hash x-ms-content-crc64
""")
"""Headers that are made from the body, which is compared itself."""

_SPELT = {
    "etag": "ETag",
    "www-authenticate": "WWW-Authenticate",
    "content-md5": "Content-MD5",
    "dav": "DAV",
    "te": "TE",
    "dnt": "DNT",
    "x-xss-protection": "X-XSS-Protection",
}


@lru_cache(maxsize=2048)
def why_aside(name: str) -> str | None:
    """Why a header (lower case) is not compared; None where it is."""
    if why := _EXACT.get(name):
        return why
    return next((why for glob, why in _GLOBS if fnmatchcase(name, glob)), None)


@lru_cache(maxsize=2048)
def spell(name: str) -> str:
    """A header's name as reports write it, however either side wrote it."""
    return _SPELT.get(name) or "-".join(part[:1].upper() + part[1:] for part in name.split("-"))
