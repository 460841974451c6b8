"""Sources: everything that brings images and samples into the lake."""
