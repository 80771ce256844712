"""The tests, laid out as the package is, with the servers and proxies they share."""
