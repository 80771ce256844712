"""The frames between edge and worker, and their reader and writer."""
