"""The migrations of the authoritative database; :mod:`chainward.adapters.sql.migrate` runs them."""
