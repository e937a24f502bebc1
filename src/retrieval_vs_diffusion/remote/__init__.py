"""Files in object stores (``s3://``) that are read as if they lay on the disk: listed, fetched, kept in a cache."""
