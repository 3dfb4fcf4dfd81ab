// What a portal writes, held against the types by tsc.
import { connect, check, PeroError, type Certificate, type Progress, type Unreachable } from '@perosign/pero';

declare function post(url: string, body: Uint8Array): Promise<string[]>;
declare const file: File;

export async function signOne(signal: AbortSignal): Promise<Uint8Array | Blob | undefined> {
  try {
    const pero = await connect({ signal, onState: (state) => console.log(state) });
    if (pero.hello.access !== 'granted') await pero.requestAccess({ purpose: 'to sign your application' });
    const [certificate] = await pero.certificates({ usable: true });
    const [signed] = await pero.sign({ certificate, documents: [{ name: file.name, content: file }], signal, onProgress: (p: Progress) => console.log(p.step, p.done) });
    if (signed.error) throw signed.error;
    pero.close();
    return signed.signature;
  } catch (e) {
    if (e instanceof PeroError && e.reason === 'user_cancelled') return undefined;
    if (e instanceof PeroError && e.outcome === 'unknown') console.log('look first', e.message);
    throw e;
  }
}

export async function reissue(old: Certificate): Promise<Certificate> {
  const pero = await connect();
  const stop = pero.on('tokens', (tokens) => console.log(tokens.length));
  pero.on('certificates', () => console.log('certificates'));
  const issued = await pero.renew({ certificate: old, key: 'gost2012-256', requestId: 'r-1' }, ({ signedRequest }) => post('/renew', signedRequest));
  stop();
  const first = await pero.enroll({ token: 'ab', key: { algorithm: 'rsa-2048' }, subject: { commonName: 'x', inn: '1' } }, async (csr) => post('/issue', csr));
  console.log(first.notAfter.length, (await pero.status(issued)).source);
  return issued;
}

export async function readiness(): Promise<Unreachable | 'ready'> {
  const found = await check();
  return found.state;
}

export async function mistakes(): Promise<void> {
  const pero = await connect();
  // @ts-expect-error a document has content or a digest
  await pero.sign({ certificate: 'x', documents: [{ name: 'a' }] });
  // @ts-expect-error no such algorithm
  await pero.enroll({ token: 'x', key: 'rsa-1024', subject: {} }, () => []);
  // @ts-expect-error no such event
  pero.on('nothing', () => {});
}
