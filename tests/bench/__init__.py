"""What the toolkit itself costs, and whether its figures are those of a bare script: run by `make bench`."""
