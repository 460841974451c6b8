"""One client for every OpenAI-compatible endpoint: calls, retries, prices, budget."""
