"""Macros, views, checks, queries and exports, packaged as data beside the code that runs them."""
