"""What mirroring costs on this machine, beside what people would use instead: `make bench`."""
