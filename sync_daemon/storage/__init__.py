"""The app's document storage: a folder, or a bucket of S3 or MinIO."""
