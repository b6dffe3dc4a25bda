"""The object store of the local stack: an S3 server in this process that notifies as MinIO does."""
