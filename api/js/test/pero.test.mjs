// pero.js in a real Chromium against the real door. Playwright drives Debian's Chromium.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHTTP } from 'node:http';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';

const here = path.dirname(new URL(import.meta.url).pathname);
const folder = path.dirname(here);
const CHROMIUM = process.env.PERO_CHROMIUM ?? '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let temporary;
let program;
let doorman;

before(() => {
  assert.ok(existsSync(CHROMIUM), `${CHROMIUM} is absent: run make deps`);
  temporary = mkdtempSync(path.join(tmpdir(), 'pero-js-'));
  program = path.join(temporary, 'agent');
  doorman = path.join(temporary, 'doorman');
  execFileSync('go', ['build', '-o', temporary, './test/agent', './test/doorman'], { cwd: folder, stdio: 'inherit' });
});
after(() => rmSync(temporary, { recursive: true, force: true }));

// startAgent gives the ports of the agent and of the page's server.
const startAgent = (...args) => start(program, '-folder', folder, ...args);

async function start(...command) {
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    child.stdout.once('data', (b) => resolve(String(b)));
    child.once('exit', (code) => reject(new Error(`${command[0]} ended: ${code}`)));
  });
  const ports = JSON.parse(line);
  return {
    ...ports,
    origin: `http://127.0.0.1:${ports.pages}`,
    stop: () => new Promise((resolve) => {
      child.once('exit', resolve);
      child.stdin.end();
    }),
  };
}

async function browser(...args) {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...ARGS, ...args] });
}

// freePort is a port at which nothing listens.
const freePort = () => new Promise((resolve) => {
  const s = createServer().listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => resolve(port));
  });
});

// inPage runs a function of ({pero.js's exports, ...arg}) in a page of the agent's origin.
async function inPage(page, agent, f, arg = {}) {
  if (!page.url().startsWith(agent.origin)) await page.goto(agent.origin);
  return page.evaluate(async ([source, given]) => {
    const pero = await import('/pero.js');
    const run = new Function(`return (${source})`)();
    return run({ ...pero, ...given });
  }, [f.toString(), { port: agent.agent, ...arg }]);
}

// failure turns a PeroError into data.
const failing = `async (p) => { try { await p; return null; } catch (e) { return { name: e.name, reason: e.reason, state: e.state, member: e.member, outcome: e.outcome, message: e.message }; } }`;

describe('a page that may reach the agent', () => {
  let agent;
  let chrome;
  let page;
  before(async () => {
    agent = await startAgent();
    chrome = await browser();
    const context = await chrome.newContext({ bypassCSP: true });
    page = await context.newPage();
  });
  after(async () => {
    await chrome?.close();
    await agent?.stop();
  });

  test('connects, says hello and lists', async () => {
    const got = await inPage(page, agent, async ({ connect, check, port }) => {
      const states = [];
      const pero = await connect({ port, onState: (s) => states.push(s) });
      const [certificate] = await pero.certificates({ usable: true });
      const result = { states, hello: pero.hello, tokens: await pero.tokens(), der: new TextDecoder().decode(certificate.der), found: await check({ port }) };
      pero.close();
      return result;
    });
    assert.deepEqual(got.states, ['connecting', 'connected']);
    assert.equal(got.hello.product, 'pero');
    assert.equal(got.tokens[0].id, '00ff');
    assert.equal(got.der, 'not a certificate');
    assert.deepEqual([got.found.state, got.found.access], ['ready', 'granted']);
  });

  test('signs small documents, a digest and a large document in one set', async () => {
    const got = await inPage(page, agent, async ({ connect, port }) => {
      const hex = (b) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, '0')).join('');
      const pero = await connect({ port });
      const [certificate] = await pero.certificates();
      const large = new Blob([new Uint8Array(5_500_001).fill(7)]);
      const value = new Uint8Array(32).fill(9);
      const steps = [];
      const results = await pero.sign({ certificate, onProgress: (p) => steps.push(p), documents: [
        { name: 'a.txt', content: 'привет' },
        { id: 'empty', name: 'b.txt', content: new Uint8Array(0) },
        { name: 'c.bin', content: large },
        { name: 'd.pdf', digest: { algorithm: 'sha256', value } },
      ] });
      const text = (s) => new TextDecoder().decode(s);
      const sha = async (b) => hex(await crypto.subtle.digest('SHA-256', b));
      const expected = [await sha(new TextEncoder().encode('привет')), await sha(new Uint8Array(0)), await sha(await large.arrayBuffer()), hex(value)];
      pero.close();
      return { ids: results.map((r) => r.id), signatures: results.map((r) => text(r.signature)), expected, steps };
    });
    assert.deepEqual(got.ids, ['1', 'empty', '3', '4']);
    assert.deepEqual(got.signatures, got.expected.map((h) => `signed:${h}`));
    assert.deepEqual(got.steps.filter((s) => s.step === 'upload').at(-1), { step: 'upload', document: '3', done: 5_500_001, total: 5_500_001 });
    assert.deepEqual(got.steps.at(-1), { step: 'signing', done: 4, total: 4 });
  });

  test('lists GOST keys and has what they sign digested as they need it', async () => {
    const got = await inPage(page, agent, async ({ connect, port, failing }) => {
      const caught = new Function(`return (${failing})`)();
      const pero = await connect({ port });
      const [certificate] = await pero.certificates({ keyAlgorithms: ['gost2012-256', 'gost2012-512'] });
      const offered = (await pero.tokens())[0].keyAlgorithms.includes('gost2012-512');
      const documents = [{ name: 'c.bin', content: new Blob([new Uint8Array(700_000)]) }];
      const [signed] = await pero.sign({ certificate, documents });
      const digest = (n) => ({ algorithm: 'streebog512', value: new Uint8Array(n) });
      const [given] = await pero.sign({ certificate, documents: [{ name: 'd', digest: digest(64) }] });
      const short = await caught(pero.sign({ certificate, documents: [{ name: 'd', digest: digest(32) }] }));
      pero.close();
      const again = await connect({ port }); // which knows no more of the certificate than its id
      await again.sign({ certificate: certificate.id, documents });
      const issued = await again.enroll({ token: '00ff', key: 'gost2012-256', subject: { commonName: 'Анна Петрова' } }, () => 'AAEC');
      again.close();
      return { key: certificate.keyAlgorithm, offered, hashedBy: signed.hashedBy, given: given.signature.length, short, issued: issued.id.length };
    }, { failing });
    assert.deepEqual([got.key, got.offered, got.hashedBy, got.given, got.issued], ['gost2012-512', true, 'agent', 'signed:'.length + 128, 64]);
    assert.deepEqual([got.short.reason, got.short.member], ['bad_request', 'documents[0].digest.value']);
    const digests = (await (await fetch(`${agent.origin}/seen`)).text()).split(' ').filter((m) => m.startsWith('digest:'));
    assert.deepEqual(digests.slice(-2), ['digest:streebog512', 'digest:streebog512']);
  });

  test('gets a large attached signature as a Blob', async () => {
    const got = await inPage(page, agent, async ({ connect, port }) => {
      const pero = await connect({ port });
      const content = crypto.getRandomValues(new Uint8Array(60_000));
      const many = new Blob(Array(500).fill(content)); // 30 MB
      const [{ signature }] = await pero.sign({ certificate: (await pero.certificates())[0], packaging: 'attached', documents: [{ name: 'x', content: many }] });
      const tail = await signature.slice(7).arrayBuffer();
      const same = async (b) => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', b))).join();
      pero.close();
      return { blob: signature instanceof Blob, size: signature.size, equal: (await same(tail)) === (await same(await many.arrayBuffer())) };
    });
    assert.deepEqual(got, { blob: true, size: 30_000_007, equal: true });
  });

  test('stops an upload early when the disk is full, and the connection goes on', async () => {
    const got = await inPage(page, agent, async ({ connect, port, failing }) => {
      const caught = new Function(`return (${failing})`)();
      const pero = await connect({ port });
      const [certificate] = await pero.certificates();
      let sent = 0;
      const error = await caught(pero.sign({ certificate, onProgress: (p) => { sent = p.done; }, documents: [{ name: 'full', content: new Blob([new Uint8Array(64 << 20)]) }] }));
      const tokens = await pero.tokens();
      pero.close();
      return { error, sent, tokens: tokens.length };
    }, { failing });
    assert.equal(got.error.reason, 'storage_failed');
    assert.equal(got.error.message, 'The disk is full.');
    assert.equal(got.sent, 0);
    assert.equal(got.tokens, 1);
  });

  test('says what a refused request did wrong', async () => {
    const got = await inPage(page, agent, async ({ connect, port, failing }) => {
      const caught = new Function(`return (${failing})`)();
      const pero = await connect({ port });
      const [certificate] = await pero.certificates();
      const errors = [
        await caught(pero.sign({ certificate, documents: [] })),
        await caught(pero.sign({ certificate, documents: [{ name: 'a', digest: { algorithm: 'sha1', value: new Uint8Array(20) } }] })),
        await caught(pero.requestAccess({ purpose: 'no' })),
        await caught(pero.requestAccess({ purpose: 'crash' })),
      ];
      pero.close();
      return errors;
    }, { failing });
    assert.deepEqual(got.map((e) => [e.name, e.reason, e.member, e.outcome]), [
      ['PeroError', 'bad_request', 'documents', undefined],
      ['PeroError', 'algorithm_unsupported', 'documents[0].digest.algorithm', undefined],
      ['PeroError', 'access_denied', undefined, undefined],
      ['PeroError', 'module_crashed', undefined, 'unknown'],
    ]);
    assert.equal(got[2].message, 'Not this site.');
  });

  test('cancels by AbortSignal, and when the page leaves', async () => {
    const seen = async () => (await (await fetch(`${agent.origin}/seen`)).text()).split(' ').filter((m) => m === 'cancelled').length;
    const before = await seen();
    const name = await inPage(page, agent, async ({ connect, port }) => {
      const pero = await connect({ port });
      const stop = new AbortController();
      const waiting = pero.requestAccess({ purpose: 'wait', signal: stop.signal });
      await pero.tokens();
      stop.abort();
      try {
        await waiting;
      } catch (e) {
        await pero.tokens(); // the cancel was read before this
        pero.close();
        return e.name;
      }
    });
    assert.equal(name, 'AbortError');
    await inPage(page, agent, async ({ connect, port }) => {
      const pero = await connect({ port });
      pero.requestAccess({ purpose: 'wait' }).catch(() => {});
      await pero.tokens();
    });
    await page.goto('about:blank');
    while ((await seen()) < before + 2) await new Promise((r) => setTimeout(r, 20)); // the test's own time limit ends it
  });

  test('enrols, resumes by requestId, renews', async () => {
    const got = await inPage(page, agent, async ({ connect, port }) => {
      const pero = await connect({ port });
      const text = (b) => new TextDecoder().decode(b);
      const request = { token: (await pero.tokens())[0], key: 'ec-p256', subject: { commonName: 'Анна Петрова', inn: '500100732259' }, requestId: 'application-7' };
      const steps = [];
      const csrs = [];
      let failed;
      try {
        await pero.enroll({ ...request, onProgress: (p) => steps.push(p.step) }, async (csr) => {
          csrs.push(text(csr));
          throw new Error('the back end is away');
        });
      } catch (e) {
        failed = e.message;
      }
      const waiting = await pero.enrollments();
      const issued = await pero.enroll({ ...request, onProgress: (p) => steps.push(p.step) }, async (csr, { requestId }) => {
        csrs.push(text(csr), requestId);
        return ['-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n'];
      });
      const renewed = await pero.renew({ certificate: issued, requestId: 'renewal-1' }, ({ csr, signedRequest }) => {
        csrs.push(text(signedRequest) === `signed:${text(csr)}`);
        return new Uint8Array([1, 2, 3]);
      });
      const left = await pero.enrollments();
      pero.close();
      return { steps, csrs, failed, waiting: waiting.length, id: issued.id, renewed: renewed.id, left: left.length };
    });
    assert.equal(got.failed, 'the back end is away');
    assert.equal(got.waiting, 1);
    assert.equal(got.csrs[0], got.csrs[1]);
    assert.equal(got.csrs[2], 'application-7');
    assert.equal(got.csrs[3], true);
    assert.equal(got.id, got.renewed);
    assert.equal(got.left, 0);
    assert.deepEqual(got.steps, ['consent', 'key', 'request', 'consent', 'key', 'request', 'checking', 'writing', 'proving']);
  });

  test('does the rest of the protocol', async () => {
    const got = await inPage(page, agent, async ({ connect, port }) => {
      const pero = await connect({ port });
      const [certificate] = await pero.certificates();
      const token = await pero.authenticate({ certificate, challenge: crypto.getRandomValues(new Uint8Array(32)) });
      const report = await pero.verify({ signature: new Uint8Array(10), document: 'text' });
      const large = await pero.verify({ signature: new Blob([new Uint8Array(700_000)]), document: new Blob([new Uint8Array(800_000)]) });
      const status = await pero.status(certificate);
      const exported = await pero.exportCertificate(certificate.id);
      await pero.backup('00ff');
      await pero.changePIN('00ff');
      const restored = await pero.restore();
      const result = { token: new TextDecoder().decode(token), valid: report.valid && large.valid, status: status.status, der: exported.der.length, restored: restored.id };
      pero.close();
      return result;
    });
    assert.deepEqual(got, { token: agent.origin, valid: true, status: 'unknown', der: 17, restored: '00ff' });
  });

  test('tells events until it is told not to', async () => {
    const got = await inPage(page, agent, async ({ connect, port }) => {
      const pero = await connect({ port });
      const heard = [];
      const off = pero.on('tokens', (tokens) => heard.push(`tokens ${tokens.length}`));
      pero.on('certificates', () => heard.push('certificates'));
      await pero.tokens();
      await pero.requestAccess({ purpose: 'events' });
      off();
      await pero.requestAccess({ purpose: 'events' });
      const closed = new Promise((resolve) => pero.on('close', resolve));
      pero.close();
      await closed;
      let after;
      try {
        await pero.tokens();
      } catch (e) {
        after = e.reason;
      }
      return { heard, after };
    });
    assert.deepEqual(got, { heard: ['tokens 1', 'certificates', 'certificates'], after: 'connection_lost' });
  });

  test('says absent where nothing listens', async () => {
    const got = await inPage(page, agent, async ({ connect, check, port, failing }) => {
      const caught = new Function(`return (${failing})`)();
      return { error: await caught(connect({ port })), found: await check({ port }) };
    }, { port: await freePort(), failing });
    assert.deepEqual([got.error.reason, got.error.state, got.found.state], ['absent', 'absent', 'absent']);
  });

  test('says refused when the agent has no room for the site', async () => {
    const got = await inPage(page, agent, async ({ connect, port, failing }) => {
      const caught = new Function(`return (${failing})`)();
      const open = [];
      for (let i = 0; i < 8; i++) open.push(await connect({ port }));
      const error = await caught(connect({ port }));
      for (const pero of open) pero.close();
      return error;
    }, { failing });
    assert.deepEqual([got.reason, got.state], ['refused', 'refused']);
  });

  test('says certificate_untrusted when TLS fails and Pero is there', async () => {
    const got = await inPage(page, agent, async ({ connect, port, failing }) => new Function(`return (${failing})`)()(connect({ port, secure: true })), { failing });
    assert.equal(got.state, 'certificate_untrusted');
  });
});

describe('a person without an agent, on a computer with the service', () => {
  let agent;
  let service;
  before(async () => {
    agent = await startAgent(); // for its page
    service = await start(doorman);
  });
  after(async () => {
    await service?.stop();
    await agent?.stop();
  });
  const attempt = async ({ connect, check, port, secure, failing }) => {
    const error = await new Function(`return (${failing})`)()(connect({ port, secure }));
    return { error, found: await check({ port, secure }) };
  };

  for (const [name, permissions] of [['of this computer'], ['of the public internet, let through by the browser', ['local-network-access']]]) {
    for (const secure of [false, true]) {
      test(`is told so by a page ${name}, ${secure ? 'wss' : 'ws'}`, async () => {
        const chrome = await browser(...permissions ? [`--ip-address-space-overrides=127.0.0.1:${agent.pages}=public`] : []);
        try {
          const context = await chrome.newContext({ bypassCSP: true });
          if (permissions) await context.grantPermissions(permissions, { origin: agent.origin });
          const got = await inPage(await context.newPage(), agent, attempt, { failing, secure, port: service.agent });
          assert.deepEqual([got.error.reason, got.error.state, got.found.state], ['no_user_session', 'no_user_session', 'no_user_session']);
          assert.match(got.error.message, /signed in/);
          assert.equal(got.found.message, got.error.message);
        } finally {
          await chrome.close();
        }
      });
    }
  }

  test('is told so where TLS is closed at once', async () => {
    const hasty = createServer((plain) => plain.once('data', (first) => {
      if (first[0] === 0x16) return plain.destroy();
      const behind = connectTo(service.agent, '127.0.0.1', () => {
        behind.write(first);
        plain.pipe(behind).pipe(plain);
      });
      for (const s of [plain, behind]) s.on('error', () => {});
    }));
    await new Promise((resolve) => hasty.listen(0, '127.0.0.1', resolve));
    const chrome = await browser();
    try {
      const page = await (await chrome.newContext({ bypassCSP: true })).newPage();
      const got = await inPage(page, agent, attempt, { failing, secure: true, port: hasty.address().port });
      assert.deepEqual([got.error.state, got.found.state], ['no_user_session', 'no_user_session']);
    } finally {
      await chrome.close();
      hasty.close();
    }
  });

  test('is not said of a stranger who answers 503', async () => {
    const stranger = createHTTP((_, r) => r.writeHead(503, { 'Access-Control-Allow-Origin': '*' }).end('later\n'));
    await new Promise((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const chrome = await browser();
    try {
      const page = await (await chrome.newContext({ bypassCSP: true })).newPage();
      const got = await inPage(page, agent, attempt, { failing, port: stranger.address().port });
      assert.equal(got.error.state, 'refused');
    } finally {
      await chrome.close();
      stranger.close();
    }
  });
});

describe('a site that the agent does not know yet', () => {
  test('has two connections and is told when it asks too often', async () => {
    const agent = await startAgent('-access', 'ask');
    const chrome = await browser();
    try {
      const page = await (await chrome.newContext({ bypassCSP: true })).newPage();
      const got = await inPage(page, agent, async ({ connect, port, failing }) => {
        const caught = new Function(`return (${failing})`)();
        const a = await connect({ port });
        const b = await connect({ port });
        const third = await caught(connect({ port }));
        const errors = [];
        for (let i = 0; i < 10; i++) errors.push((await caught(a.tokens()))?.reason ?? 'answered');
        return { third: third.state, errors, access: b.hello.access };
      }, { failing });
      assert.equal(got.access, 'ask');
      assert.equal(got.third, 'refused');
      assert.ok(got.errors.includes('answered') && got.errors.includes('rate_limited'), got.errors.join());
    } finally {
      await chrome.close();
      await agent.stop();
    }
  });
});

describe('a page whose own policy forbids the connection', () => {
  test('is told so', async () => {
    const agent = await startAgent();
    const chrome = await browser();
    try {
      const page = await (await chrome.newContext()).newPage();
      await page.goto(`${agent.origin}/?csp=${encodeURIComponent("connect-src 'self'")}`);
      const got = await page.evaluate(async (port) => {
        const { connect } = await import('/pero.js');
        try {
          await connect({ port });
          return null;
        } catch (e) {
          return { reason: e.reason, state: e.state };
        }
      }, agent.agent);
      assert.deepEqual(got, { reason: 'content_security_policy', state: 'refused' });
    } finally {
      await chrome.close();
      await agent.stop();
    }
  });
});

describe('a page of the public internet', () => {
  let agent;
  before(async () => { agent = await startAgent(); });
  after(() => agent?.stop());

  // The page is on loopback, as everything here, and is declared public.
  async function publicPage(permissions) {
    const chrome = await browser(`--ip-address-space-overrides=127.0.0.1:${agent.pages}=public`);
    const context = await chrome.newContext({ bypassCSP: true });
    if (permissions) await context.grantPermissions(permissions, { origin: agent.origin });
    return { chrome, page: await context.newPage() };
  }
  const attempt = async ({ connect, check, port, failing }) => {
    const states = [];
    const pero = connect({ port, onState: (s) => states.push(s) });
    const error = await new Function(`return (${failing})`)()(pero);
    if (!error) (await pero).close();
    return { states, error, found: (await check({ port })).state };
  };

  test('connects with the permission', async () => {
    const { chrome, page } = await publicPage(['local-network-access']);
    try {
      const got = await inPage(page, agent, attempt, { failing });
      assert.deepEqual(got, { states: ['connecting', 'connected'], error: null, found: 'ready' });
    } finally {
      await chrome.close();
    }
  });

  test('is told that the permission is denied', async () => {
    const { chrome, page } = await publicPage([]); // playwright denies what is not listed
    try {
      const got = await inPage(page, agent, attempt, { failing });
      assert.equal(got.error.state, 'permission_denied');
      assert.equal(got.found, 'permission_denied');
    } finally {
      await chrome.close();
    }
  });

  test('with the permission, tells that nothing listens', async () => {
    const { chrome, page } = await publicPage(['local-network-access']);
    try {
      const got = await inPage(page, agent, attempt, { failing, port: await freePort() });
      assert.deepEqual([got.error.state, got.found], ['absent', 'absent']);
    } finally {
      await chrome.close();
    }
  });

  test('a frame without the permission is told so', async () => {
    const inner = await startAgent(); // for its page's port: another origin
    const chrome = await browser(`--ip-address-space-overrides=127.0.0.1:${agent.pages}=public,127.0.0.1:${inner.pages}=public`);
    try {
      const context = await chrome.newContext({ bypassCSP: true });
      const page = await context.newPage();
      const inFrame = async (allow) => {
        await page.goto(`${agent.origin}/?allow=${encodeURIComponent(allow)}&frame=${encodeURIComponent(inner.origin)}`);
        const frame = page.frames().find((f) => f.url().startsWith(inner.origin));
        return frame.evaluate(async (port) => {
          const { connect } = await import('/pero.js');
          try {
            await connect({ port });
            return null;
          } catch (e) {
            return { reason: e.reason, state: e.state };
          }
        }, agent.agent);
      };
      assert.deepEqual(await inFrame(''), { reason: 'iframe', state: 'permission_denied' });
      assert.deepEqual(await inFrame('loopback-network; local-network-access'), { reason: 'permission_denied', state: 'permission_denied' });
    } finally {
      await chrome.close();
      await inner.stop();
    }
  });

  test('is told that the browser is asking, with a screen', async () => {
    const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1024x768x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    const display = await new Promise((resolve, reject) => {
      screen.once('error', () => reject(new Error('Xvfb is absent: run make deps')));
      screen.stdio[3].once('data', (b) => resolve(`:${String(b).trim()}`));
    });
    const chrome = await chromium.launch({ executablePath: CHROMIUM, headless: false, env: { ...process.env, DISPLAY: display },
      args: [...ARGS, `--ip-address-space-overrides=127.0.0.1:${agent.pages}=public`] });
    try {
      const page = await (await chrome.newContext({ bypassCSP: true })).newPage();
      const got = await inPage(page, agent, async ({ connect, check, port, failing }) => {
        const states = [];
        const stop = new AbortController();
        const error = await new Function(`return (${failing})`)()(connect({ port, signal: stop.signal, onState: (s) => {
          states.push(s);
          if (s === 'permission_pending') stop.abort();
        } }));
        return { states, error: error?.name, found: (await check({ port, patience: 1500 })).state };
      }, { failing });
      assert.deepEqual(got, { states: ['connecting', 'permission_pending'], error: 'AbortError', found: 'permission_pending' });
    } finally {
      await chrome.close();
      screen.kill();
    }
  });
});
