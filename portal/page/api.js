// The portal's back end. The table of its calls is in portal/server.go.
import { t, known } from './i18n.js';

// Words is an error whose message is for people.
export class Words extends Error {}

// Problem is a refusal that a person can read: its words are in the catalogue.
export class Problem extends Words {
  constructor({ code, field, values }, status) {
    super(t(known(`problem.${code}`) ? `problem.${code}` : 'problem.internal', values));
    Object.assign(this, { code, field, status });
  }
}

export async function call(method, path, body) {
  const raw = body instanceof Blob || body instanceof Uint8Array;
  let r;
  try {
    r = await fetch(path, { method, body: raw || body === undefined ? body : JSON.stringify(body) });
  } catch {
    throw new Problem({ code: 'offline' }, 0);
  }
  return answer(r.status, await r.text());
}

function answer(status, text) {
  if (status === 204) return null;
  let v;
  try {
    v = JSON.parse(text);
  } catch {
    throw new Problem({ code: 'internal' }, status);
  }
  if (status >= 400) throw new Problem(v.problem ?? { code: 'internal' }, status);
  return v;
}

// upload sends a file straight from the disk, whatever its size. fetch cannot tell how far it is; XMLHttpRequest can.
export function upload(path, blob, { onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', path);
    x.upload.onprogress = (e) => onProgress?.(e.loaded, blob.size);
    x.onload = () => { try { resolve(answer(x.status, x.responseText)); } catch (e) { reject(e); } };
    x.onerror = () => reject(new Problem({ code: 'offline' }, 0));
    x.onabort = () => reject(new DOMException('', 'AbortError'));
    signal?.addEventListener('abort', () => x.abort(), { once: true });
    if (signal?.aborted) return reject(new DOMException('', 'AbortError'));
    x.send(blob);
  });
}

export const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

export function base64(octets) {
  let s = '';
  for (let i = 0; i < octets.length; i += 0x8000) s += String.fromCharCode(...octets.subarray(i, i + 0x8000));
  return btoa(s);
}
