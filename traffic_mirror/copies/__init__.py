"""Copies: what a client's request becomes for each destination. Pure."""

from traffic_mirror.copies.headers import without_credentials
from traffic_mirror.copies.markers import trace_id_of
from traffic_mirror.copies.plan import Copy, Plan, compile_plan
from traffic_mirror.copies.redaction import Unredactable
from traffic_mirror.copies.target import mask_query

__all__ = [
    "Copy",
    "Plan",
    "Unredactable",
    "compile_plan",
    "mask_query",
    "trace_id_of",
    "without_credentials",
]
