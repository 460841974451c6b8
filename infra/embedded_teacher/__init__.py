"""A small OpenAI-compatible server for the demo and the tests: no model, no network, no price.

It writes template-based, correct replies from what the prompt holds, over real HTTP, and
misbehaves on request.  Rows it makes carry its model name; they are never a real teacher's.
"""
