"""One module a noun of the interface; each has a `router`."""
