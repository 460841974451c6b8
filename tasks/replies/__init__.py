"""What teachers write, read: one module per form of reply, and what is wrong with a text."""
