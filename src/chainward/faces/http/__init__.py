"""The platform over HTTP: the REST interface, the Rekor-shaped log, health and metrics, and the process around them.

:mod:`~chainward.faces.http.table` is the one list of routes; :mod:`~chainward.faces.http.app` turns it into an ASGI
application; :mod:`~chainward.faces.http.server` runs that application as a process.
"""
