"""The registry over HTTP, as OCI distribution-spec 1.1.1 has it: ``/v2/``.

:func:`~chainward.faces.http.oci.app.oci_routes` gives the routes for a Starlette application,
:func:`~chainward.faces.http.oci.app.oci_app` the bare ASGI application. Uploads and downloads are streamed; every verb
runs in a thread.
"""
