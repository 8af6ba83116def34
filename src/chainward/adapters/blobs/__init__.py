"""Places for the bytes of blobs."""
