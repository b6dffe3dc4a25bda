"""A client of MinIO that also sees unfinished uploads."""

from minio import Minio


class UploadsClient(Minio):
    """minio-py keeps the calls for uploads in parts to its subclasses; this is the one of the tests."""

    def unfinished(self, bucket: str, prefix: str | None = None) -> list[str]:
        """The keys of uploads that were begun and are neither complete nor aborted."""
        return [str(upload.object_name) for upload in self._list_multipart_uploads(bucket, prefix=prefix).uploads]

    def begin_upload(self, bucket: str, key: str) -> str:
        """Begin an upload in parts; returns its id."""
        return self._create_multipart_upload(bucket, key, {})

    def abort_upload(self, bucket: str, key: str, upload: str) -> None:
        """Give an upload up."""
        self._abort_multipart_upload(bucket, key, upload)
