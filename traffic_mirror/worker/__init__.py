"""The process that sends copies, compares answers and reports; it imports nothing of mitmproxy."""
