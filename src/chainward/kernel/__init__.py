"""The words every room uses: digests, names, identities, instants, problems. Standard library only."""
