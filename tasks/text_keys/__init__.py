"""Text keys: tokens, protected tokens, shingles and MinHash bands, straight from Arrow buffers."""
