"""Translate, call one verb, translate back: HTTP, web and the command line."""
