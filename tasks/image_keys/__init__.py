"""Image keys: perceptual hashes, hashes of crops and flips, and the proof that pixels agree."""
