"""How fast calls may go: concurrency, rates and outages of each model at each endpoint."""
