// Types of pero.js. SPDX-License-Identifier: Apache-2.0

export type Reason =
  | 'bad_request' | 'unknown_method' | 'origin_refused' | 'access_denied' | 'access_blocked' | 'user_cancelled' | 'timed_out' | 'busy'
  | 'rate_limited' | 'token_not_found' | 'token_removed' | 'token_busy' | 'token_full' | 'token_read_only' | 'pin_incorrect' | 'pin_locked'
  | 'pin_not_set' | 'pin_expired' | 'pin_policy' | 'puk_incorrect' | 'puk_locked' | 'certificate_not_found' | 'certificate_expired' | 'key_expired' | 'key_not_found' | 'key_usage_mismatch' | 'algorithm_unsupported'
  | 'document_too_large' | 'document_changed' | 'digest_mismatch' | 'certificate_mismatch' | 'enrollment_not_found' | 'conflict'
  | 'module_crashed' | 'signature_invalid' | 'token_faulty' | 'container_foreign' | 'token_failed' | 'no_user_session' | 'no_window' | 'storage_failed' | 'internal';

/** Why there is no connection. */
export type Unreachable = 'permission_pending' | 'permission_denied' | 'absent' | 'refused' | 'no_user_session' | 'certificate_untrusted';

/** A finer word for an Unreachable. */
export type UnreachableReason = Unreachable | 'insecure_page' | 'content_security_policy' | 'iframe' | 'connection_lost';

export class PeroError extends Error {
  readonly reason: Reason | UnreachableReason | (string & {});
  /** bad_request: which member was wrong. */
  readonly member?: string;
  /** module_crashed: 'unknown' when the carrier may have done what was asked, or not. Do not ask again by yourself. */
  readonly outcome?: 'unknown' | (string & {});
  /** Set when there is no connection. */
  readonly state?: Unreachable;
}

export interface ConnectOptions {
  port?: number;
  /** wss://localhost instead of ws://127.0.0.1; taken by itself where the browser forbids ws. */
  secure?: boolean;
  signal?: AbortSignal;
  onState?: (state: 'connecting' | 'permission_pending' | 'connected') => void;
}
export function connect(options?: ConnectOptions): Promise<Pero>;

export interface Found {
  state: 'ready' | Unreachable;
  reason?: string;
  message?: string;
  access?: Access;
  version?: string;
}
/** @param options.patience ms until a question of the browser counts as pending. */
export function check(options?: { port?: number; secure?: boolean; signal?: AbortSignal; patience?: number }): Promise<Found>;

export type Access = 'granted' | 'ask' | 'blocked';
export interface Hello { product: 'pero'; version: string; protocol: number; features: string[]; access: Access }

export type Octets = Uint8Array | ArrayBuffer | ArrayBufferView;
/** Octets, or base64 text. */
export type Encoded = Octets | string;
export type Content = Blob | Octets | string;
export type KeyAlgorithm = 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'ec-p256' | 'ec-p384' | 'ec-p521' | 'gost2012-256' | 'gost2012-512';
/** A GOST key has its own, streebog256 or streebog512 by its size. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512' | 'streebog256' | 'streebog512';
export interface Digest { algorithm: DigestAlgorithm; value: Encoded }

export interface Token {
  id: string; label: string; manufacturer: string; model: string; serialNumber: string; reader?: string;
  carrier: 'smartcard' | 'usb_token' | 'file' | 'tpm' | 'software';
  state: 'ready' | 'pin_low' | 'pin_final_try' | 'pin_locked' | 'pin_not_set' | 'uninitialized' | 'unreadable' | 'busy';
  writable: boolean; pinPad: boolean; keyAlgorithms: string[];
  /** The carrier still has the PIN it was handed out with and wants it changed: changePIN. */
  pinToBeChanged?: boolean;
}

export interface Subject {
  commonName?: string; surname?: string; givenName?: string; title?: string; organization?: string; organizationalUnit?: string;
  country?: string; stateOrProvince?: string; locality?: string; street?: string; email?: string;
  inn?: string; innLe?: string; snils?: string; ogrn?: string; ogrnip?: string;
}

export interface Certificate {
  /** SHA-256 of der, hex. */
  id: string;
  token: string; der: Uint8Array; subject: Subject; issuer: Subject; serialNumber: string;
  /** RFC 3339, UTC. */
  notBefore: string;
  notAfter: string;
  keyAlgorithm: string; keyUsage: string[]; extendedKeyUsage: string[]; qualified: boolean; hasPrivateKey: boolean;
}

export interface Status {
  status: 'valid' | 'expiring' | 'expired' | 'not_yet_valid' | 'revoked' | 'untrusted' | 'unknown';
  expiresInDays?: number; revokedAt?: string; reason?: string; source: 'ocsp' | 'crl' | null; checkedAt: string; chain: Uint8Array[];
}

export interface Extensions {
  keyUsage?: string[]; extendedKeyUsage?: string[]; certificatePolicies?: string[];
  subjectAltName?: { email?: string[]; dns?: string[] };
  subjectSignTool?: string; identificationKind?: number;
  privateKeyUsagePeriod?: { notBefore?: string; notAfter?: string };
}

export interface Progress {
  step: 'upload' | 'consent' | 'signing' | 'download' | 'key' | 'request' | 'checking' | 'writing' | 'proving' | 'revocation' | (string & {});
  /** upload, download: octets; signing: documents. */
  done?: number;
  total?: number;
  /** upload, download: which document. */
  document?: string;
}

export interface Watched { signal?: AbortSignal; onProgress?: (p: Progress) => void }

export type Document = { id?: string; name?: string; mediaType?: string } & ({ content: Content; digest?: undefined } | { digest: Digest; content?: undefined });

export interface SignOptions extends Watched {
  certificate: string | Certificate;
  documents: Document[];
  /** 'raw' over a digest needs sites.raw of Pero's configuration; over content it does not. */
  format?: 'cades' | 'raw';
  packaging?: 'detached' | 'attached';
  level?: 'B';
  /** Left out: the key's own of a GOST key, else sha256. */
  digest?: DigestAlgorithm;
  /** RSA keys. */
  padding?: 'pkcs1' | 'pss';
  requestId?: string;
}
export interface Signed {
  id: string; signature?: Uint8Array | Blob; error?: PeroError;
  /** Who made the digest that the key signed. */
  hashedBy?: 'agent' | 'token';
}

export interface KeyParams { algorithm: KeyAlgorithm; parameterSet?: string }
export interface EnrollOptions extends Watched {
  token: string | Token; key: KeyAlgorithm | KeyParams; subject: Subject; extensions?: Extensions;
  /** The page's own name for this enrolment: with the same one an interrupted enrolment goes on. */
  requestId?: string;
}
export interface RenewOptions extends Watched {
  certificate: string | Certificate; token?: string | Token; key?: KeyAlgorithm | KeyParams; extensions?: Extensions; requestId?: string;
}
/** Leaf first; octets, base64 or PEM; or one PKCS#7 of certificates. */
export type Issued = Encoded | Encoded[];
export interface Enrollment {
  enrollment: string; token: string; state: 'planned' | 'key_made' | 'requested' | 'received' | 'written'; createdAt: string;
  csr?: Uint8Array; renews?: string;
}

export interface Report { valid: boolean; signers: SignerReport[] }
export interface SignerReport { valid: boolean; problem?: string; certificate?: Certificate; signingTime?: string; digest: string; level?: string }

export class Pero {
  private constructor();
  readonly hello: Hello;
  on(event: 'tokens', f: (tokens: Token[]) => void): () => void;
  on(event: 'certificates' | 'close', f: () => void): () => void;
  close(): void;
  requestAccess(options?: { purpose?: string; signal?: AbortSignal }): Promise<{ access: 'granted'; until?: string }>;
  tokens(options?: { signal?: AbortSignal }): Promise<Token[]>;
  certificates(options?: { usable?: boolean; keyAlgorithms?: KeyAlgorithm[]; issuers?: string[]; signal?: AbortSignal }): Promise<Certificate[]>;
  status(certificate: string | Certificate, options?: { signal?: AbortSignal }): Promise<Status>;
  exportCertificate(certificate: string | Certificate, options?: { signal?: AbortSignal }): Promise<{ der: Uint8Array; pem: string; chain: Uint8Array[] }>;
  sign(options: SignOptions): Promise<Signed[]>;
  enroll(options: EnrollOptions, issue: (csr: Uint8Array, of: { enrollment: string; requestId: string }) => Promise<Issued> | Issued): Promise<Certificate>;
  renew(options: RenewOptions, issue: (of: { csr: Uint8Array; signedRequest: Uint8Array; enrollment: string; requestId: string }) => Promise<Issued> | Issued): Promise<Certificate>;
  complete(enrollment: string | Enrollment, certificates: Issued, options?: Watched): Promise<Certificate>;
  enrollments(options?: { signal?: AbortSignal }): Promise<Enrollment[]>;
  cancelEnrollment(enrollment: string | Enrollment, options?: { signal?: AbortSignal }): Promise<void>;
  authenticate(options: { certificate: string | Certificate; challenge: Encoded } & Watched): Promise<Uint8Array>;
  verify(options: { signature: Content; document?: Content; digest?: Digest; format?: 'cades' } & Watched): Promise<Report>;
  backup(token: string | Token, options?: { signal?: AbortSignal }): Promise<void>;
  /** Opens Pero's window, where the person changes the PIN, or sets it where it is locked or not set yet; the page learns success or the reason. */
  changePIN(token: string | Token, options?: { signal?: AbortSignal }): Promise<void>;
  restore(options?: { signal?: AbortSignal }): Promise<Token>;
}
