"""The mitmproxy side: what takes flows, decides, and hands copies to the worker."""
