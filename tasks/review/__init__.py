"""Second asks about finished chains: a judge, a rewriter, and the question without its picture."""
