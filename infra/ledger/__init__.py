"""Every paid call, durable before it counts."""
