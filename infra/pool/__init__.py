"""Workers that keep a model alive, on Ray or in this process."""
