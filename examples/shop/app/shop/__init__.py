"""Tea & Tins: a small shop that exists to be built, inventoried, signed, promoted, and revoked."""
