"""The registry over HTTP, as OCI distribution-spec 1.1.1 has it: ``/v2/``.

:func:`~chainward.faces.http.oci.app.oci_app` gives the ASGI application. Uploads and downloads are streamed; every verb
runs in a thread.
"""
