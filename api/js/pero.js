// The page's end of Pero: signs and enrols with the person's own keys, through the agent on this machine.
// One ES module, no dependencies, no eval. SPDX-License-Identifier: Apache-2.0

const PORT = 14741;
const PENDING = 700; // ms after which an unanswered attempt means that the browser is asking the person
const CHUNK = 1 << 20; // octets of a document in one frame
const STRIDE = 4; // frames between two questions of how much the agent has taken
const WINDOW = 3; // such questions that are open: no more than WINDOW * STRIDE frames are on their way
const INLINE = 256 << 10; // octets: larger documents are streamed
const INLINE_TOTAL = 512 << 10; // octets of all documents inside one request, whose frame is at most 1 MiB
const CHECKED = 64 << 20; // octets: larger downloads are not digested again, the browser would need them in one piece

const TEXTS = {
  permission_pending: 'The browser is asking whether this site may reach Pero on this computer. Answer its question.',
  permission_denied: 'The browser does not let this site reach Pero on this computer. Allow it in the site settings, beside the address.',
  absent: 'Pero does not answer. Install it, or start it.',
  refused: 'Pero is running and refused this site.',
  no_user_session: "Pero's service answers, and not Pero itself: you are not signed in to this computer's desktop, or Pero could not be started there.",
  certificate_untrusted: "The browser does not trust Pero's local certificate. Repair it with Pero's own program.",
  insecure_page: 'This page was not loaded over https, and Pero answers https pages only.',
  content_security_policy: "This page's own Content-Security-Policy forbids the connection: connect-src must name Pero's address.",
  iframe: 'This page is in a frame that may not reach Pero: the frame needs allow="loopback-network; local-network-access".',
  connection_lost: 'The connection to Pero ended.',
};

/** What went wrong. `reason` is the contract; `state` is there when there is no connection; `message` is for people. */
export class PeroError extends Error {
  constructor(reason, { message, member, outcome, state, cause } = {}) {
    super(message || TEXTS[reason] || reason, cause === undefined ? undefined : { cause });
    this.name = 'PeroError';
    this.reason = reason;
    this.member = member;
    this.outcome = outcome;
    this.state = state;
  }
}

const unreachable = (state, reason = state) => new PeroError(reason, { state });

/** Connects. Call it from a click: the browser may ask the person, and `onState('permission_pending')` tells that it does. */
export async function connect({ port = PORT, secure = false, signal, onState = () => {} } = {}) {
  signal?.throwIfAborted();
  const socket = await reach({ port, secure, signal, onState });
  const channel = new Channel(socket);
  try {
    const hello = await channel.request('agent.hello', { client: 'pero.js/1' }, { signal });
    onState('connected');
    return new Pero(channel, hello);
  } catch (e) {
    channel.close();
    throw e;
  }
}

/** Says whether Pero can be reached, without any window of Pero. Never rejects but for an abort. */
export async function check({ port = PORT, secure = false, signal, patience = 2000 } = {}) {
  const giveUp = new AbortController();
  const stop = () => giveUp.abort(signal.reason);
  signal?.addEventListener('abort', stop, { once: true });
  let pending = false;
  let timer;
  const waited = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ state: pending ? 'permission_pending' : 'absent', reason: pending ? 'permission_pending' : 'absent' }), patience);
  });
  const asked = connect({ port, secure, signal: giveUp.signal, onState: (s) => { pending ||= s === 'permission_pending'; } }).then(
    (pero) => {
      pero.close();
      return { state: 'ready', access: pero.hello.access, version: pero.hello.version };
    },
    (e) => {
      if (!(e instanceof PeroError)) throw e;
      return { state: e.state || 'refused', reason: e.reason, message: e.message };
    },
  );
  try {
    const found = await Promise.race([asked, waited]);
    asked.catch(() => {}); // the browser's question stays open after we have answered
    return { message: TEXTS[found.reason], ...found };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

// reach opens the socket, and finds out why when it cannot. One try: each may be a question to the person.
async function reach({ port, secure, signal, onState }) {
  if (globalThis.isSecureContext === false) throw unreachable('refused', 'insecure_page');
  const http = `${secure ? 'https://localhost' : 'http://127.0.0.1'}:${port}/v1/ping`;
  const url = `${secure ? 'wss://localhost' : 'ws://127.0.0.1'}:${port}/v1`;
  const plain = `http://127.0.0.1:${port}/v1/ping`;
  let violated = false;
  const onViolation = (e) => { violated ||= [http, url, new URL(http).origin, new URL(url).origin].includes(e.blockedURI); };
  globalThis.document?.addEventListener('securitypolicyviolation', onViolation);
  onState('connecting');
  let pending = false;
  const waiting = async (attempt) => {
    let timer;
    const away = new Promise((_, reject) => {
      timer = setTimeout(async () => {
        // The service of several people has no certificate: where the person has no agent, it leaves TLS without an answer.
        if (secure) ping(plain, 'cors', signal).then((who) => who === 'service' && reject(unreachable('no_user_session')), reject);
        if ((await permission()) === 'granted') return;
        pending = true;
        onState('permission_pending');
      }, PENDING);
    });
    try {
      return await Promise.race([attempt, away]);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    // Some browsers ask their question for a fetch alone.
    const pinged = await waiting(ping(http, 'cors', signal));
    if (pinged === 'service') throw unreachable('no_user_session');
    let opened = null;
    if (pinged || !pending) opened = await waiting(open(url, signal)); // a question that was closed is not asked again
    if (opened instanceof WebSocket) return opened;
    if (opened === 'mixed' && !secure) return await reach({ port, secure: true, signal, onState });
    if (violated) throw unreachable('refused', 'content_security_policy');
    if ((await permission()) === 'denied') throw unreachable('permission_denied', framed() ? 'iframe' : undefined);
    if (pinged) throw unreachable('refused');
    if (pending) throw unreachable('permission_denied');
    if (await ping(http, 'no-cors', signal)) throw unreachable('refused');
    if (secure && (await ping(plain, 'cors', signal)) === 'service') throw unreachable('no_user_session');
    if (secure && (await ping(plain, 'no-cors', signal))) throw unreachable('certificate_untrusted');
    throw unreachable('absent');
  } finally {
    globalThis.document?.removeEventListener('securitypolicyviolation', onViolation);
  }
}

// ping says who answers: with 'cors' 'agent', which lets this site in, or 'service', where the person has no agent; with 'no-cors', which
// every site may ask, 'somebody'. null: nobody, or nobody who lets this site in.
async function ping(url, mode, signal) {
  try {
    const answer = await fetch(url, { mode, signal, credentials: 'omit', cache: 'no-store', redirect: mode === 'cors' ? 'error' : 'follow', referrerPolicy: 'no-referrer' });
    if (mode === 'no-cors') return 'somebody';
    if (answer.status === 503 && (await answer.text()).trim() === 'no_user_session') return 'service';
    return answer.status === 204 ? 'agent' : null;
  } catch (e) {
    signal?.throwIfAborted();
    return null;
  }
}

// open gives the socket; 'mixed' when the browser forbids ws: on this page; null when it did not open.
function open(url, signal) {
  return new Promise((resolve, reject) => {
    let socket;
    try {
      socket = new WebSocket(url, 'pero.v1');
    } catch {
      resolve('mixed');
      return;
    }
    socket.binaryType = 'arraybuffer';
    const stop = () => {
      socket.close();
      reject(signal.reason);
    };
    const settle = (value) => {
      signal?.removeEventListener('abort', stop);
      socket.onopen = socket.onerror = socket.onclose = null;
      resolve(value);
    };
    socket.onopen = () => settle(socket);
    socket.onerror = socket.onclose = () => settle(null); // a policy of the page gives an error without a close
    signal?.addEventListener('abort', stop, { once: true });
  });
}

// permission is 'granted', 'denied', 'prompt', or null where the browser has no such permission.
async function permission() {
  for (const name of ['loopback-network', 'local-network-access']) {
    try {
      return (await navigator.permissions.query({ name })).state;
    } catch {
      // an unknown name
    }
  }
  return null;
}

function framed() {
  try {
    return window.top !== window && !(document.featurePolicy?.allowsFeature?.('loopback-network') ?? true);
  } catch {
    return true;
  }
}

// Channel is JSON-RPC over the socket.
class Channel {
  #socket;
  #last = 0;
  #waiting = new Map(); // id -> {resolve, reject, onProgress}
  #downloads = new Map(); // number -> function that takes octets
  onNotification = () => {};
  onClose = () => {};
  closed = false;

  constructor(socket) {
    this.#socket = socket;
    socket.onmessage = (e) => (typeof e.data === 'string' ? this.#take(JSON.parse(e.data)) : this.#receive(e.data));
    socket.onclose = () => {
      this.closed = true;
      for (const w of this.#waiting.values()) w.reject(unreachable('absent', 'connection_lost'));
      this.#waiting.clear();
      this.onClose();
    };
  }

  #take({ id, method, params, result, error }) {
    if (method === 'request.progress') {
      const { id: of, ...progress } = params;
      this.#waiting.get(of)?.onProgress?.(progress);
      return;
    }
    if (method) {
      this.onNotification(method, params);
      return;
    }
    const w = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (!w) return;
    if (error) w.reject(new PeroError(error.data.reason, { message: error.message, member: error.data.member, outcome: error.data.outcome }));
    else w.resolve(result);
  }

  #receive(buffer) {
    this.#downloads.get(new DataView(buffer).getUint32(0))?.(new Uint8Array(buffer, 4));
  }

  request(method, params = {}, { signal, onProgress } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.closed) return reject(unreachable('absent', 'connection_lost'));
      const id = ++this.#last;
      const stop = () => {
        this.#waiting.delete(id);
        this.#send('request.cancel', { id });
        reject(signal.reason);
      };
      const settle = (f) => (value) => {
        signal?.removeEventListener('abort', stop);
        f(value);
      };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject), onProgress });
      signal?.addEventListener('abort', stop, { once: true });
      this.#send(method, params, id);
    });
  }

  #send(method, params, id = ++this.#last) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  }

  sendOctets(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  take(number, f) {
    this.#downloads.set(number, f);
    return () => this.#downloads.delete(number);
  }

  close() {
    this.#socket.close(1000);
  }
}

/** A connection to the person's agent. */
export class Pero {
  #channel;
  #listeners = { tokens: new Set(), certificates: new Set(), close: new Set() };
  #subscribed;
  #keys = new Map(); // id of a certificate -> algorithm of its key

  constructor(channel, hello) {
    this.#channel = channel;
    this.hello = hello;
    channel.onNotification = (method, params) => {
      if (method === 'tokens.changed') this.#emit('tokens', params.tokens);
      if (method === 'certificates.changed') this.#emit('certificates');
    };
    channel.onClose = () => this.#emit('close');
  }

  #emit(event, value) {
    for (const f of [...this.#listeners[event]]) f(value);
  }

  /** Calls f when tokens come and go, certificates change, or the connection closes. Gives the function that ends it. */
  on(event, f) {
    this.#listeners[event].add(f);
    if (event !== 'close' && !this.#subscribed) {
      this.#subscribed = this.#channel.request('events.subscribe', { events: ['tokens', 'certificates'] });
      this.#subscribed.catch(() => { this.#subscribed = undefined; }); // no access yet: the next on() asks again
    }
    return () => this.#listeners[event].delete(f);
  }

  close() {
    this.#channel.close();
  }

  /** Asks the person, in Pero's window, whether this site may use Pero. */
  async requestAccess({ purpose, signal } = {}) {
    const result = await this.#channel.request('access.request', { purpose }, { signal });
    this.hello = { ...this.hello, access: result.access };
    return result;
  }

  async tokens({ signal } = {}) {
    return (await this.#channel.request('tokens.list', {}, { signal })).tokens;
  }

  async certificates({ usable, keyAlgorithms, issuers, signal } = {}) {
    const r = await this.#channel.request('certificates.list', { usable, keyAlgorithms, issuers }, { signal });
    return r.certificates.map((c) => this.#certificate(c));
  }

  #certificate(c) {
    this.#keys.set(c.id, c.keyAlgorithm);
    return certificateOf(c);
  }

  // A GOST key signs its own digest only; of a document that is not kept, no other can be had later.
  async #digestFor(certificate, signal) {
    const id = idOf(certificate);
    if (!this.#keys.has(id)) await this.certificates({ signal });
    return { 'gost2012-256': 'streebog256', 'gost2012-512': 'streebog512' }[this.#keys.get(id)];
  }

  async status(certificate, { signal } = {}) {
    const r = await this.#channel.request('certificates.status', { certificate: idOf(certificate) }, { signal });
    return { ...r, chain: r.chain.map(fromBase64) };
  }

  async exportCertificate(certificate, { signal } = {}) {
    const r = await this.#channel.request('certificates.export', { certificate: idOf(certificate) }, { signal });
    return { ...r, der: fromBase64(r.der), chain: r.chain.map(fromBase64) };
  }

  /** Signs a listed set of documents: one window, one PIN. Gives one result per document, in their order. */
  async sign({ certificate, documents, format = 'cades', packaging, level, digest, padding, requestId, onProgress, signal }) {
    const sent = [];
    let inline = 0;
    for (const [i, d] of documents.entries()) {
      const out = { id: d.id ?? String(i + 1), name: d.name ?? d.content?.name ?? `document ${i + 1}`, mediaType: d.mediaType || d.content?.type || undefined };
      if (d.digest) {
        out.digest = { algorithm: d.digest.algorithm, value: base64Of(d.digest.value) };
      } else {
        const content = contentOf(d.content);
        const size = content.size ?? content.length;
        if (size <= INLINE && inline + size <= INLINE_TOTAL) {
          inline += size;
          out.content = await inlineOf(content);
        } else {
          const own = digest ?? (await this.#digestFor(certificate, signal));
          out.upload = (await this.#upload(blobOf(content), out, { packaging: packaging ?? 'detached', digest: own, onProgress, signal })).upload;
        }
      }
      sent.push(out);
    }
    const r = await this.#channel.request('sign', { certificate: idOf(certificate), format, packaging, level, digest, padding, documents: sent, requestId }, { signal, onProgress });
    const results = [];
    for (const { id, signature, download, hashedBy, error } of r.results) {
      const result = hashedBy ? { id, hashedBy } : { id };
      if (error) result.error = new PeroError(error.reason, error);
      else result.signature = download ? await this.#download(download, { onProgress, signal, id }) : fromBase64(signature);
      results.push(result);
    }
    return results;
  }

  // A document goes in frames of CHUNK octets. documents.sync is answered when the agent has taken what was sent before it, so only a
  // bounded number of frames is ever on its way, whatever the size of the document, also in a background tab where timers are slow.
  async #upload(blob, { id, name, mediaType }, { packaging, digest, onProgress, signal }) {
    const { upload } = await this.#channel.request('documents.open', { name, size: blob.size, mediaType, packaging, digest }, { signal });
    const frame = new Uint8Array(4 + CHUNK);
    new DataView(frame.buffer).setUint32(0, upload);
    const ahead = [];
    const taken = async () => {
      const { received } = await ahead.shift();
      onProgress?.({ step: 'upload', document: id, done: received, total: blob.size });
    };
    const read = (at) => blob.slice(at, at + CHUNK).arrayBuffer();
    try {
      let next = read(0);
      for (let at = 0, frames = 1; at < blob.size; at += CHUNK, frames++) {
        const octets = new Uint8Array(await next);
        if (at + CHUNK < blob.size) next = read(at + CHUNK);
        next.catch(() => {}); // told when it is awaited
        signal?.throwIfAborted();
        frame.set(octets, 4);
        this.#channel.sendOctets(frame.subarray(0, 4 + octets.length));
        if (frames % STRIDE && at + CHUNK < blob.size) continue;
        const sync = this.#channel.request('documents.sync', { upload }, { signal });
        sync.catch(() => {});
        ahead.push(sync);
        if (ahead.length >= WINDOW) await taken();
      }
      while (ahead.length) await taken();
    } catch (e) {
      this.#channel.request('documents.close', { upload }).catch(() => {}); // the agent lets go of it
      if (e?.name === 'NotReadableError' || e?.name === 'NotFoundError') {
        throw new PeroError('document_changed', { message: `${name} changed or went away while it was read.`, cause: e });
      }
      throw e;
    }
    return { upload, ...(await this.#channel.request('documents.close', { upload }, { signal })) };
  }

  // A download is gathered into Blobs, which the browser keeps outside the page's own memory.
  async #download({ number, size, sha256 }, { onProgress, signal, id }) {
    let parts = [];
    let some = [];
    let done = 0;
    let gathered = 0;
    const stop = this.#channel.take(number, (octets) => {
      some.push(octets);
      done += octets.length;
      if (done - gathered >= 16 << 20) {
        parts.push(new Blob(some));
        some = [];
        gathered = done;
      }
      onProgress?.({ step: 'download', document: id, done, total: size });
    });
    try {
      await this.#channel.request('documents.fetch', { download: number }, { signal });
    } finally {
      stop();
    }
    const blob = new Blob([...parts, ...some]);
    if (blob.size !== size) throw new PeroError('document_changed', { message: 'The signature arrived incomplete.' });
    if (size <= CHECKED && globalThis.crypto?.subtle) {
      const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
      if (toHex(sum) !== sha256) throw new PeroError('digest_mismatch', { message: 'The signature arrived damaged.' });
    }
    return blob;
  }

  /**
   * First issue: makes a key pair on the carrier, gives its certificate request to the page's callback, and writes what comes back.
   * When the callback fails, the enrolment waits: the same requestId goes on with it, also after a restart.
   */
  async enroll({ token, key, subject, extensions, requestId = crypto.randomUUID(), onProgress, signal }, issue) {
    const begun = await this.#channel.request('enroll.begin', { token: idOf(token), key: keyOf(key), subject, extensions, requestId }, { signal, onProgress });
    const certificates = await issue(fromBase64(begun.csr), { enrollment: begun.enrollment, requestId });
    return this.complete(begun.enrollment, certificates, { onProgress, signal });
  }

  /** Re-issue: the old key signs the request of the new one. The old key stays. */
  async renew({ certificate, token, key, extensions, requestId = crypto.randomUUID(), onProgress, signal }, issue) {
    const begun = await this.#channel.request('renew.begin', { certificate: idOf(certificate), token: token && idOf(token), key: key && keyOf(key), extensions, requestId }, { signal, onProgress });
    const certificates = await issue({ csr: fromBase64(begun.csr), signedRequest: fromBase64(begun.signedRequest), enrollment: begun.enrollment, requestId });
    return this.complete(begun.enrollment, certificates, { onProgress, signal });
  }

  /** Writes the issued certificates of an enrolment or renewal that waits. */
  async complete(enrollment, certificates, { onProgress, signal } = {}) {
    const list = (Array.isArray(certificates) ? certificates : [certificates]).map(base64Of);
    const r = await this.#channel.request('enroll.complete', { enrollment: enrollment.enrollment ?? enrollment, certificates: list }, { signal, onProgress });
    return this.#certificate(r.certificate);
  }

  async enrollments({ signal } = {}) {
    const r = await this.#channel.request('enroll.list', {}, { signal });
    return r.enrollments.map((e) => ({ ...e, csr: e.csr && fromBase64(e.csr) }));
  }

  async cancelEnrollment(enrollment, { signal } = {}) {
    await this.#channel.request('enroll.cancel', { enrollment: enrollment.enrollment ?? enrollment }, { signal });
  }

  /** Signs a challenge of at least 32 octets for this site alone. Gives the token to send to the site's back end, as octets of JSON. */
  async authenticate({ certificate, challenge, signal, onProgress }) {
    const r = await this.#channel.request('authenticate', { certificate: idOf(certificate), challenge: base64Of(challenge) }, { signal, onProgress });
    return fromBase64(r.token);
  }

  async verify({ signature, document, digest, format = 'cades', signal, onProgress }) {
    const params = { format };
    const cms = contentOf(signature);
    const large = (c) => (c.size ?? c.length) > INLINE;
    if (large(cms)) params.upload = (await this.#upload(blobOf(cms), { id: 'signature', name: 'signature' }, { packaging: 'attached', onProgress, signal })).upload;
    else params.signature = await inlineOf(cms);
    if (digest) {
      params.digest = { algorithm: digest.algorithm, value: base64Of(digest.value) };
    } else if (document !== undefined) {
      const content = contentOf(document);
      if (large(content)) { // kept by the agent: only the signature tells which digest it is over
        params.documentUpload = (await this.#upload(blobOf(content), { id: 'document', name: content.name ?? 'document' }, { packaging: 'attached', onProgress, signal })).upload;
      } else {
        params.document = await inlineOf(content);
      }
    }
    const r = await this.#channel.request('verify', params, { signal, onProgress });
    return { ...r, signers: r.signers.map((s) => (s.certificate ? { ...s, certificate: certificateOf(s.certificate) } : s)) };
  }

  /** Copies a file carrier to a place that the person names in Pero's window. */
  async backup(token, { signal } = {}) {
    await this.#channel.request('carriers.backup', { token: idOf(token) }, { signal });
  }

  /** Opens Pero's window, where the person changes the PIN of a carrier, or sets it where it is locked or not set yet. */
  async changePIN(token, { signal } = {}) {
    await this.#channel.request('carriers.pin', { token: idOf(token) }, { signal });
  }

  /** Adds a file carrier from a copy that the person picks in Pero's window. */
  async restore({ signal } = {}) {
    return (await this.#channel.request('carriers.restore', {}, { signal })).token;
  }
}

const certificateOf = (c) => ({ ...c, der: fromBase64(c.der) });
const idOf = (v) => v?.id ?? v;
const keyOf = (v) => (typeof v === 'string' ? { algorithm: v } : v);

// contentOf is a Blob or octets: the octets of what is in memory already need not go through a Blob.
function contentOf(content) {
  if (content instanceof Blob) return content;
  if (typeof content === 'string') return new TextEncoder().encode(content);
  if (content === undefined || content === null) throw new TypeError('a document without content or digest');
  return octetsOf(content);
}

const octetsOf = (v) => (ArrayBuffer.isView(v) ? new Uint8Array(v.buffer, v.byteOffset, v.byteLength) : new Uint8Array(v));
const blobOf = (content) => (content instanceof Blob ? content : new Blob([content]));
const inlineOf = async (content) => toBase64(content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content);

// base64Of takes octets, or text that is base64 or PEM already.
function base64Of(v) {
  if (typeof v === 'string') return v.replace(/-----[^-]*-----/g, '').replace(/\s+/g, '');
  return toBase64(octetsOf(v));
}

function toBase64(octets) {
  if (octets.toBase64) return octets.toBase64();
  let s = '';
  for (let i = 0; i < octets.length; i += 0x8000) s += String.fromCharCode(...octets.subarray(i, i + 0x8000));
  return btoa(s);
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

const toHex = (octets) => Array.from(octets, (b) => b.toString(16).padStart(2, '0')).join('');
