"""Mirrors matching HTTP traffic from mitmproxy to other servers, and compares the answers."""

__version__ = "0.1.0"
