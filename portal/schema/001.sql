CREATE TABLE people (
	id INTEGER PRIMARY KEY,
	surname TEXT NOT NULL, given_name TEXT NOT NULL, patronymic TEXT NOT NULL,
	inn TEXT NOT NULL UNIQUE, snils TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, email TEXT NOT NULL,
	region TEXT NOT NULL, locality TEXT NOT NULL,
	language TEXT NOT NULL DEFAULT 'ru'
) STRICT;

CREATE TABLE sessions (
	token_hash BLOB PRIMARY KEY, -- SHA-256 of the cookie
	role TEXT NOT NULL CHECK (role IN ('citizen', 'desk')),
	person INTEGER REFERENCES people (id),
	expires_at INTEGER NOT NULL -- Unix seconds, as all times here
) STRICT;

CREATE TABLE applications (
	id TEXT PRIMARY KEY,
	person INTEGER NOT NULL REFERENCES people (id),
	kind TEXT NOT NULL CHECK (kind IN ('first', 'reissue')),
	state TEXT NOT NULL CHECK (state IN ('draft', 'submitted', 'approved', 'refused', 'confirmed', 'requested', 'issued', 'installed')),
	authority TEXT NOT NULL,
	fields TEXT NOT NULL, -- JSON
	reason TEXT NOT NULL DEFAULT '', -- of a refusal
	request_id TEXT NOT NULL UNIQUE,
	renews TEXT NOT NULL DEFAULT '', -- serial of the certificate that a re-issue follows
	csr BLOB,
	serial TEXT NOT NULL DEFAULT '', -- of the issued certificate
	code_salt BLOB, code_hash BLOB, code_tries INTEGER NOT NULL DEFAULT 0, code_expires_at INTEGER NOT NULL DEFAULT 0,
	codes_sent INTEGER NOT NULL DEFAULT 0, codes_since INTEGER NOT NULL DEFAULT 0,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX applications_of_person ON applications (person);

CREATE TABLE attachments (
	application TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
	number INTEGER NOT NULL,
	name TEXT NOT NULL, media_type TEXT NOT NULL, content BLOB NOT NULL,
	PRIMARY KEY (application, number)
) STRICT;

CREATE TABLE certificates (
	serial TEXT PRIMARY KEY,
	request_id TEXT NOT NULL UNIQUE,
	person INTEGER NOT NULL REFERENCES people (id),
	der BLOB NOT NULL,
	issued_at INTEGER NOT NULL,
	revoked_at INTEGER, reason INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX certificates_of_person ON certificates (person);

CREATE TABLE documents (
	id TEXT PRIMARY KEY,
	person INTEGER NOT NULL REFERENCES people (id),
	name TEXT NOT NULL, size INTEGER NOT NULL,
	sha256 BLOB NOT NULL, sha384 BLOB NOT NULL, sha512 BLOB NOT NULL,
	created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE signatures (
	id TEXT PRIMARY KEY, -- its file is signatures/ID.p7s of the state folder
	person INTEGER NOT NULL REFERENCES people (id),
	name TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,
	report TEXT NOT NULL, -- JSON
	created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX signatures_of_person ON signatures (person);

CREATE TABLE messages (
	id INTEGER PRIMARY KEY,
	person INTEGER NOT NULL REFERENCES people (id),
	channel TEXT NOT NULL CHECK (channel IN ('sms', 'email')),
	address TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('shown', 'queued', 'sent', 'failed')), -- shown: only here
	tries INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX messages_of_person ON messages (person);
