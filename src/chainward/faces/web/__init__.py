"""Pages for people: the artifacts, one artifact, its timeline. They only read; every verb has its own command."""
