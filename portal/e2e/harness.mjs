// Starts the real parts of one run: the agent with a scripted pinentry, the portal, an SMTP server, Chromium. Everything lives
// in one temporary folder and on free loopback ports, and ends with stop().
import assert from 'node:assert/strict'
import { spawn, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, copyFileSync, readdirSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const softhsm = '/usr/lib/softhsm/libsofthsm2.so'

export async function freePort () {
  const s = createServer()
  await new Promise(resolve => s.listen(0, '127.0.0.1', resolve))
  const { port } = s.address()
  await new Promise(resolve => s.close(resolve))
  return port
}

// Waits until f() gives something true; a bounded poll, because what it waits for has no event on this side.
export async function until (what, f, seconds = 30) {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const v = await f()
    if (v) return v
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

const listening = port => new Promise(resolve => {
  const s = connect(port, '127.0.0.1', () => { s.destroy(); resolve(true) })
  s.on('error', () => resolve(false))
})

// What all runs of a test process share: made once, when it is first needed.
let sharedFolder
const made = {}
function shared (name, make) {
  if (!sharedFolder) {
    sharedFolder = mkdtempSync(join(tmpdir(), 'pero-shared-'))
    process.on('exit', () => rmSync(sharedFolder, { recursive: true, force: true }))
  }
  if (!made[name]) make(join(sharedFolder, name))
  made[name] = true
  return join(sharedFolder, name)
}

// The judge: openssl with GOST.
export const openssl = (...args) => execFileSync('openssl', args, {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'pipe'],
  env: { ...process.env, OPENSSL_CONF: join(root, 'testdata', 'gost-engine.cnf') }
})

function pinentry (folder) {
  const program = shared('pinentry', path => execFileSync('go', ['build', '-o', path, './agent/window/pinentrytest/pinentry'], { cwd: root, stdio: 'inherit' }))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  copyFileSync(program, join(folder, 'pinentry'))
  return {
    path: join(folder, 'pinentry'),
    // What the person does at the next windows, one line each; the last one repeats.
    answers (...lines) {
      rmSync(join(folder, 'answers.next'), { force: true })
      writeFileSync(join(folder, 'answers'), lines.join('\n') + '\n')
    },
    // The windows shown so far.
    transcript () {
      const file = join(folder, 'transcript')
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map(l => JSON.parse(l)) : []
    }
  }
}

// A display of our own; the person at it never comes.
async function screen (children) {
  const child = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  return new Promise((resolve, reject) => {
    child.once('error', () => reject(new Error('Xvfb is absent: run ./.ci/deps')))
    child.done = new Promise(resolve => child.once('exit', () => { children.delete(child); resolve() }))
    children.add(child)
    child.stdio[3].once('data', b => resolve(`:${String(b).trim()}`))
  })
}

// A disk of few octets over a folder, seen only by what is started through it: a process holds it, and it is gone with the last.
async function smallDisk (run, folder, octets) {
  const root = process.getuid() === 0
  const holder = run('disk', ['unshare', root ? '-m' : '-rm', 'sh', '-c',
    'mount -t tmpfs -o "size=$2,mode=0700" tmpfs "$1" && mkdir -m 700 "$1/keys" && echo ready >"$1/ready" && exec sleep infinity', 'disk', folder, String(octets)])
  let ended = false
  holder.done.then(() => { ended = true })
  const path = `/proc/${holder.pid}/root${folder}` // as seen from outside
  await until('a small disk', () => {
    if (ended) throw new Error('this test mounts a small disk: run it as root, or allow user namespaces')
    return existsSync(join(path, 'ready'))
  })
  const ballast = join(path, 'ballast')
  return {
    path,
    within: ['nsenter', '-t', String(holder.pid), ...(root ? [] : ['-U', '--preserve-credentials']), '-m'],
    fill () { assert.throws(() => { for (;;) writeFileSync(ballast, Buffer.alloc(4096), { flag: 'a' }) }, { code: 'ENOSPC' }) },
    free () { rmSync(ballast) }
  }
}

// options: softhsm (bool: a soft token beside the file carrier), module (bool: the test module's token, which makes GOST keys too),
// authority (kind of the authority's keys, as the portal's --ca-algorithm), publicPage (bool: Chromium treats the portal as a public address),
// smtp (bool), locale ('ru' by default), agent (false: not started yet), life (of a certificate, as the portal's --life), disk (octets: the
// agent's state and keys are on a small disk of their own).
export async function start (options = {}) {
  const t = {}
  try {
    await prepare(t, options)
    return t
  } catch (e) {
    await t.stop?.()
    throw e
  }
}

async function prepare (t, options) {
  const dir = mkdtempSync(join(tmpdir(), 'pero-e2e-'))
  const children = new Set()
  // A run that is cut short takes its programs along.
  process.on('exit', () => {
    for (const c of children) c.kill('SIGKILL')
    if (!process.env.PERO_KEEP) rmSync(dir, { recursive: true, force: true })
  })
  process.once('SIGTERM', () => process.exit(1))
  const run = (name, argv, env = {}) => {
    const log = openSync(join(dir, name + '.log'), 'a')
    const child = spawn(argv[0], argv.slice(1), { env: { ...process.env, DISPLAY: '', WAYLAND_DISPLAY: '', ...env }, stdio: ['ignore', log, log] })
    child.done = new Promise(resolve => child.on('exit', (code, signal) => { children.delete(child); resolve({ code, signal }) }))
    children.add(child)
    return child
  }
  Object.assign(t, { dir, agentPort: await freePort(), portalPort: await freePort() })
  t.stop = async () => {
    await t.browser?.close()
    const left = [...children]
    for (const c of left) c.kill('SIGTERM')
    const timer = setTimeout(() => left.forEach(c => c.kill('SIGKILL')), 5000)
    await Promise.all(left.map(c => c.done))
    clearTimeout(timer)
    if (process.env.PERO_KEEP) console.error('kept:', dir)
    else rmSync(dir, { recursive: true, force: true })
  }
  t.url = `http://127.0.0.1:${t.portalPort}/`
  t.log = name => existsSync(join(dir, name + '.log')) ? readFileSync(join(dir, name + '.log'), 'utf8') : ''
  t.window = pinentry(join(dir, 'window'))
  t.window.answers('cancel')

  const portal = [join(root, 'bin/pero-portal'), '--listen', `127.0.0.1:${t.portalPort}`, '--agent-port', String(t.agentPort), '--state', join(dir, 'portal')]
  if (options.life) portal.push('--life', options.life)
  if (options.authority) portal.push('--ca-algorithm', options.authority)
  if (options.smtp) {
    t.smtpPort = await freePort()
    t.mail = join(dir, 'mail')
    for (const d of ['new', 'cur', 'tmp']) mkdirSync(join(t.mail, d), { recursive: true })
    run('smtp', ['/usr/bin/python3', '-m', 'aiosmtpd', '-n', '-l', `127.0.0.1:${t.smtpPort}`, '-c', 'aiosmtpd.handlers.Mailbox', t.mail])
    await until('the SMTP server', () => listening(t.smtpPort))
    t.letters = () => readdirSync(join(t.mail, 'new')).map(f => readFileSync(join(t.mail, 'new', f), 'utf8'))
    portal.push('--smtp', `127.0.0.1:${t.smtpPort}`, '--smtp-from', 'portal@portal.example')
  }
  t.startPortal = async (...more) => {
    t.portal = run('portal', [...portal, ...more])
    await until('the portal', () => fetch(t.url).then(r => r.ok, () => false)) // it listens before it has its authority
  }
  await t.startPortal()
  t.root = join(dir, 'portal/ca/root.pem')

  const home = join(dir, 'home') // of the agent: a folder, or a small disk
  mkdirSync(home)
  let within = []
  if (options.disk) {
    t.disk = await smallDisk(run, home, options.disk)
    within = t.disk.within
  }
  const agentEnv = { PERO_STATE_DIR: join(home, 'agent'), LANG: 'ru_RU.UTF-8', LC_ALL: 'ru_RU.UTF-8' }
  const modules = []
  if (options.softhsm) {
    mkdirSync(join(dir, 'softhsm/tokens'), { recursive: true })
    agentEnv.SOFTHSM2_CONF = join(dir, 'softhsm/softhsm2.conf')
    writeFileSync(agentEnv.SOFTHSM2_CONF, `directories.tokendir = ${join(dir, 'softhsm/tokens')}\nobjectstore.backend = file\nslots.removable = true\nlog.level = ERROR\n`)
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', 'Soft token', '--pin', '1234', '--so-pin', '12345678'], { env: { ...process.env, ...agentEnv }, stdio: 'ignore' })
    modules.push({ name: 'SoftHSM', path: softhsm })
  }
  if (options.module) {
    const path = join(dir, 'module.so') // what the token holds stands beside it
    copyFileSync(shared('module.so', out => execFileSync('go', ['run', './tokens/p11/testmodule/build', out], { cwd: root, stdio: 'inherit' })), path)
    writeFileSync(path + '.control', 'key none\n')
    modules.push({ name: 'Test', path })
  }
  t.keys = join(home, 'keys')
  if (!options.disk) mkdirSync(t.keys, { mode: 0o700 })
  const config = join(dir, 'pero.toml')
  writeFileSync(config, `listen = "127.0.0.1:${t.agentPort}"
[window]
pinentry = ${JSON.stringify(t.window.path)}
dialog = ${JSON.stringify(t.window.path)}
[files]
folder = ${JSON.stringify(t.keys)}
[status]
anchors = [${JSON.stringify(t.root)}]
hosts = ["127.0.0.1:${t.portalPort}"]
${modules.map(m => `[[modules]]\nname = "${m.name}"\npath = "${m.path}"\n`).join('')}`, { mode: 0o600 })
  t.config = config
  t.env = { ...process.env, ...agentEnv }
  // before: a program that starts the agent, with its arguments; it must become the agent, by exec.
  t.startAgent = async (...before) => {
    t.agent = run('agent', [...within, ...before, join(root, 'bin/pero'), 'agent', '--config', config], agentEnv)
    const ended = t.agent.done.then(() => { throw new Error('the agent ended: ' + t.log('agent')) })
    ended.catch(() => {})
    await Promise.race([ended, until('the agent', () => listening(t.agentPort))])
  }
  t.pero = (...args) => execFileSync(join(root, 'bin/pero'), [...args, '--config', config], { env: t.env, encoding: 'utf8' })
  t.journal = () => t.pero('journal', '--json').trim().split('\n').filter(Boolean).map(l => JSON.parse(l))
  t.killAgent = async (signal = 'SIGKILL') => { t.agent.kill(signal); await t.agent.done }
  if (options.agent !== false) await t.startAgent()

  // o.permissions: what the person has allowed (playwright denies the rest); without it the browser asks, which only one with a screen can.
  t.openBrowser = async (o = {}) => {
    await t.browser?.close()
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    if (o.publicPage ?? options.publicPage) args.push(`--ip-address-space-overrides=127.0.0.1:${t.portalPort}=public`, `--unsafely-treat-insecure-origin-as-secure=${t.url.slice(0, -1)}`)
    t.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: !o.screen, env: { ...process.env, LC_ALL: 'C.UTF-8', DISPLAY: o.screen ? await screen(children) : '' }, args }) // in a plain C locale Chromium cannot read a file with a Russian name
    t.context = await t.browser.newContext({ locale: o.locale ?? options.locale ?? 'ru-RU', acceptDownloads: true, viewport: { width: 1200, height: 900 } })
    if (o.permissions) await t.context.grantPermissions(o.permissions, { origin: t.url.slice(0, -1) })
    t.problems = [] // what the pages themselves complained of; a run asserts it empty
    t.page = await t.newPage()
  }
  t.newPage = async () => {
    const page = await t.context.newPage()
    page.on('pageerror', e => t.problems.push(String(e)))
    return page
  }
}

