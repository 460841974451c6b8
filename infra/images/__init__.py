"""Image bytes: decoding, pixels, masks, depth maps, and a shelf of them on local disk."""
