"""What `make run` does: a mirror at work, on servers of its own or on the user's."""
