"""Documents → an immutable, validated Spec; every problem with its file, line and column.

The worker needs only `model`; so nothing is imported here that reads YAML.
"""
