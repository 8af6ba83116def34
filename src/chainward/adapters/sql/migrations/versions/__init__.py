"""One module for each schema version, in order; each only adds."""
