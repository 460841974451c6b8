"""What a pilot says about the whole build."""
