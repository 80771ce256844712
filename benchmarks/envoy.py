"""Envoy's configuration for a reverse proxy that mirrors, as plain JSON."""

from __future__ import annotations

import json
from typing import Any

_HTTP = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def envoy_config(port: int, origin: int, to: int | None) -> str:
    """Listens on `port` in front of `origin`, and mirrors every request to port `to`, if any."""
    route: dict[str, Any] = {"cluster": "origin"}
    clusters = [_cluster("origin", origin)]
    if to is not None:
        route["request_mirror_policies"] = [{"cluster": "sink"}]
        clusters.append(_cluster("sink", to))
    connection_manager = {
        "@type": _HTTP,
        "stat_prefix": "bench",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
            ]
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    listener = {
        "name": "in",
        "address": _address(port),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": connection_manager,
                    }
                ]
            }
        ],
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}, indent=1)


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
