"""What every worker with an image network shares: loading, device, pixels, batches, stages."""
