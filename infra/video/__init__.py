"""Video files through PyAV: which frames there are, and the pixels of one of them."""
