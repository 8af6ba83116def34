"""The authoritative database: SQLAlchemy Core over SQLite or PostgreSQL, one module for each room that owns rows."""
