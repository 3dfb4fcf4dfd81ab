// How much the door and pero.js add to what a Chromium page can do by itself: P4 (latency) and P10 (upload of 1 GiB) of the goals.
// Each figure stands beside its yardstick, taken in turns in one run; the medians are printed as JSON.
// node bench/bench.mjs [MiB] [rounds]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const folder = path.dirname(path.dirname(new URL(import.meta.url).pathname));
const mebibytes = Number(process.argv[2] ?? 1024);
const rounds = Number(process.argv[3] ?? 3);
const temporary = mkdtempSync(path.join(tmpdir(), 'pero-bench-'));

function start(name, ...args) {
  execFileSync('go', ['build', '-o', path.join(temporary, path.basename(name)), `./${name}`], { cwd: folder, stdio: 'inherit' });
  const child = spawn(path.join(temporary, path.basename(name)), args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve) => child.stdout.once('data', (b) => resolve({ child, said: JSON.parse(String(b)) })));
}
const peak = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const agent = await start('test/agent', '-folder', folder, '-keep', '0');
const bare = await start('test/bare');
const chrome = await chromium.launch({ executablePath: process.env.PERO_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
try {
  const page = await (await chrome.newContext({ bypassCSP: true })).newPage();
  await page.goto(`http://127.0.0.1:${agent.said.pages}/`);
  await page.evaluate(async ([port, barePort]) => {
    const { connect } = await import('/pero.js');
    globalThis.pero = await connect({ port });
    globalThis.socket = new WebSocket(`ws://127.0.0.1:${barePort}`);
    socket.binaryType = 'arraybuffer';
    await new Promise((resolve) => { socket.onopen = resolve; });
    globalThis.certificate = (await pero.certificates())[0];
    // A document as a person's file is: the browser keeps it outside the page.
    globalThis.blobOf = (mib) => {
      const one = new Blob([crypto.getRandomValues(new Uint8Array(65536))]);
      return new Blob(Array(mib * 16).fill(one));
    };
    globalThis.upload = async (blob) => {
      const from = performance.now();
      await pero.sign({ certificate, documents: [{ name: 'x', content: blob }] });
      return performance.now() - from;
    };
    // The yardstick reads the same blob and keeps as much on its way, and does nothing else.
    globalThis.bareUpload = async (blob) => {
      const from = performance.now();
      let waiting = 0;
      let wake;
      socket.onmessage = () => { waiting--; wake?.(); };
      let next = blob.slice(0, 1 << 20).arrayBuffer();
      for (let at = 0; at < blob.size; at += 1 << 20) {
        const octets = await next;
        next = blob.slice(at + (1 << 20), at + (2 << 20)).arrayBuffer();
        socket.send(octets);
        waiting++;
        while (waiting >= 8) await new Promise((resolve) => { wake = resolve; });
      }
      while (waiting) await new Promise((resolve) => { wake = resolve; });
      return performance.now() - from;
    };
    globalThis.echo = async (n) => {
      const text = 'x'.repeat(1024);
      const times = [];
      for (let i = 0; i < n; i++) {
        const from = performance.now();
        await new Promise((resolve) => { socket.onmessage = resolve; socket.send(text); });
        times.push(performance.now() - from);
      }
      return times.sort((a, b) => a - b)[n >> 1];
    };
    globalThis.ask = async (n) => {
      const documents = [{ name: 'x', content: 'x'.repeat(600) }]; // about 1 KiB as a frame
      const times = [];
      for (let i = 0; i < n; i++) {
        const from = performance.now();
        await pero.sign({ certificate, documents });
        times.push(performance.now() - from);
      }
      return times.sort((a, b) => a - b)[n >> 1];
    };
  }, [agent.said.agent, bare.said]);
  await page.evaluate(async () => { await echo(200); await ask(200); await upload(blobOf(16)); await bareUpload(blobOf(16)); });
  const idle = peak(agent.child.pid);
  const figures = { echo: [], ask: [], upload: [], bare: [] };
  for (let i = 0; i < rounds; i++) {
    figures.echo.push(await page.evaluate(() => echo(500)));
    figures.ask.push(await page.evaluate(() => ask(500)));
    figures.bare.push(await page.evaluate((mib) => bareUpload(blobOf(mib)), mebibytes));
    figures.upload.push(await page.evaluate((mib) => upload(blobOf(mib)), mebibytes));
  }
  const rate = (ms) => (mebibytes * 1000) / ms;
  console.log(JSON.stringify({
    P4: { addedMs: median(figures.ask) - median(figures.echo), requestMs: median(figures.ask), echoMs: median(figures.echo) },
    P10: { ratio: median(figures.bare) / median(figures.upload), mibPerSecond: rate(median(figures.upload)), bareMibPerSecond: rate(median(figures.bare)), peakMiB: peak(agent.child.pid), idleMiB: idle },
  }, null, 2));
} finally {
  await chrome.close();
  agent.child.stdin.end();
  bare.child.stdin.end();
  rmSync(temporary, { recursive: true, force: true });
}
