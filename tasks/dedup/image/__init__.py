"""Which stored images show the same picture: by pixels, by perceptual hash, by crop or flip."""
