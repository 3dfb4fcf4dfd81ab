-- Documents that came before have no digests by Streebog: a GOST signature over one wants the document again.
ALTER TABLE documents ADD COLUMN streebog256 BLOB NOT NULL DEFAULT x'';
ALTER TABLE documents ADD COLUMN streebog512 BLOB NOT NULL DEFAULT x'';
