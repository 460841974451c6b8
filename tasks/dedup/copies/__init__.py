"""Pictures that an image encoder calls alike: reported beside each other, never dropped."""
