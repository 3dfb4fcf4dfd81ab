// What goes wrong while a person is at work: the agent or a token's process is killed, a carrier or a page goes away, two pages want a
// window at once. Nothing is lost, nothing is signed unasked, and the page says what happened.
import assert from 'node:assert/strict'
import { renameSync, rmSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { start, until } from './harness.mjs'
import { lives, windows } from './processes.mjs'
import { apply, approve, at, confirm, create, firstIssue, go, letIn, look, pickFile, press, reason, sign, signIn } from './steps.mjs'

const pin = '12345678'

// Makes the next window wait until the function it gives is called.
let flags = 0
function hold (t, answer) {
  const flag = join(t.dir, `flag-${++flags}`)
  t.window.answers(`after ${flag} ${answer}`)
  return () => writeFileSync(flag, '')
}

const shown = (t, count) => until('the window', () => t.window.transcript().length === count && windows(t).length === 1)

// Presses a button and gives the window that it opens, with the token process behind it.
async function opened (t, button) {
  const count = t.window.transcript().length
  await t.page.click(at(button))
  await shown(t, count + 1)
  return windows(t)[0]
}

describe('an enrolment whose agent is killed', () => {
  let t
  const certificate = '**/api/applications/*/certificate'
  before(async () => {
    t = await start()
    await t.openBrowser()
    await signIn(t)
    await letIn(t)
  })
  after(() => t?.stop())

  async function applied (person) {
    await signIn(t, person)
    await apply(t)
    await approve(t)
    await confirm(t)
    await go(t, 'add')
    await t.page.waitForSelector('[data-carrier="file"]')
  }
  // The page said why it ended; with a new agent the person comes back to what waits: its state.
  async function waiting (why) {
    await reason(t, why)
    await t.startAgent()
    await look(t)
    await t.page.waitForSelector(`${at('agent-state')}[data-state="ready"]`)
    await go(t, 'add')
    await t.page.waitForSelector(at('waiting'))
    assert.equal(await t.page.locator(at('waiting')).count(), 1)
    return t.page.getAttribute(at('waiting'), 'data-state')
  }
  // Keeps the request for the certificate on its way to the authority while the agent is killed.
  async function killedOnTheWay (then) {
    let way
    await t.page.route(certificate, route => { way = route })
    t.window.answers(`pin ${pin}`)
    await t.page.click(at('create'))
    await until('the request on its way', () => way)
    await t.killAgent()
    await then(way)
    await t.page.unroute(certificate)
  }

  test('while its window is open: the window goes, no key was made, the plan is discarded', async () => {
    await applied(1)
    t.window.answers('hang')
    const { window, host } = await opened(t, 'create')
    const count = t.window.transcript().length
    await t.killAgent()
    assert.equal(await waiting('connection_lost'), 'planned')
    await until('the end of its window and its token process', () => !lives(window) && !lives(host))
    assert.deepEqual(readdirSync(t.keys).filter(f => f.endsWith('.p12')), [])
    assert.equal(await t.page.locator(at('complete')).count(), 0)
    await t.page.click(at('discard'))
    await until('nothing waiting', async () => await t.page.locator(at('waiting')).count() === 0)
    assert.equal(t.window.transcript().length, count, 'there was nothing to ask about')
  })

  test('after the request, and the authority issued: it is completed', async () => {
    await killedOnTheWay(way => way.continue())
    assert.equal(await waiting('connection_lost'), 'requested')
    t.window.answers(`pin ${pin}`)
    await t.page.click(at('complete'))
    await t.page.waitForSelector(at('success'))
    assert.equal(await t.page.locator(at('waiting')).count(), 0)
    await go(t, 'signature')
    await t.page.waitForSelector(`${at('certificate')}[data-status="valid"][data-source="ocsp"]`)
  })

  test('after the request, which never came to the authority: said, discarded, begun anew', async () => {
    await applied(2)
    await killedOnTheWay(way => way.abort())
    assert.equal(await waiting('problem.offline'), 'requested')
    await t.page.click(at('complete'))
    await reason(t, 'add.complete.never')
    t.window.answers(`pin ${pin}`)
    await t.page.click(at('discard'))
    await until('nothing waiting', async () => await t.page.locator(at('waiting')).count() === 0)
    await create(t)
  })

  test('the journal is whole', () => assert.equal(t.pero('journal', '--check', '--json').trim(), ''))
})

describe('a signing', () => {
  let t
  let file
  before(async () => {
    t = await start()
    await t.openBrowser()
    await signIn(t)
    await firstIssue(t)
    file = join(t.dir, 'договор.txt')
    writeFileSync(file, 'Договор\n')
  })
  after(() => t?.stop())
  const signings = () => t.journal().filter(r => r.decision?.act === 'sign')
  const valid = async r => assert.equal(await r.first().getAttribute('data-valid'), 'true')

  test('whose token process is killed: said, the agent goes on, the next one works', async () => {
    await pickFile(t, file)
    t.window.answers('hang')
    const { window, host } = await opened(t, 'sign')
    process.kill(host, 'SIGKILL')
    await reason(t, 'module_crashed')
    await until('the end of its window', () => !lives(window))
    assert.ok(lives(t.agent.pid))
    t.window.answers(`pin ${pin}`)
    await until('a signature', async () => await press(t) === 'result') // the module rests a second before it is started again
    await valid(t.page.locator(at('result')))
  })

  test('whose carrier goes away meanwhile: said; back again it signs', async () => {
    const store = join(t.keys, 'keys.p12')
    await pickFile(t, file)
    const release = hold(t, `pin ${pin}`)
    await opened(t, 'sign')
    renameSync(store, join(t.dir, 'away.p12'))
    release()
    await reason(t, 'token_removed', 'token_not_found')
    await go(t, 'ready')
    const carriers = () => t.page.locator(`${at('carriers-state')} li`).allInnerTexts()
    await until('the carrier gone from the page', async () => !(await carriers()).some(x => x.includes('(keys)')))
    renameSync(join(t.dir, 'away.p12'), store)
    await until('the carrier back on the page', async () => (await carriers()).some(x => x.includes('(keys)')))
    await go(t, 'sign')
    t.window.answers(`pin ${pin}`)
    assert.equal(await press(t), 'result')
  })

  test('from two pages at once: one window after the other, both succeed', async () => {
    const other = Object.create(t, { page: { value: await t.newPage() } })
    const asked = new Promise(resolve => other.page.on('websocket', s => s.on('framesent', f => String(f.payload).includes('"method":"sign"') && resolve())))
    await other.page.goto(t.url)
    await other.page.waitForSelector(at('section-ready'))
    await other.page.waitForSelector(`${at('agent-state')}[data-state="ready"]`)
    await pickFile(t, file)
    await pickFile(other, file)
    const release = hold(t, `pin ${pin}`)
    const count = t.window.transcript().length
    const first = press(t)
    await shown(t, count + 1)
    const second = press(other)
    await asked
    assert.equal(t.window.transcript().length, count + 1, 'the second one waits') // its process may be there already: it has drawn nothing
    release()
    assert.deepEqual(await Promise.all([first, second]), ['result', 'result'])
    await valid(t.page.locator(at('result')))
    await valid(other.page.locator(at('result')))
    assert.equal(t.window.transcript().length, count + 2)
    await other.page.close()
  })

  test('whose page is closed: the window goes, nothing is signed', async () => {
    const before = signings()
    await pickFile(t, file)
    t.window.answers('hang')
    const { window, host } = await opened(t, 'sign')
    await t.page.close()
    await until('the end of its window', () => !lives(window))
    const [entry] = await until('the journal', () => { const more = signings().slice(before.length); return more.length && more })
    assert.notEqual(entry.decision.result, 'ok')
    assert.notEqual(entry.decision.decision, 'agreed')
    await until('the end of the token process of this login', () => !lives(host))
    assert.ok(lives(t.agent.pid))
    t.page = await t.newPage()
    await t.page.goto(t.url)
    await t.page.waitForSelector(`${at('agent-state')}[data-state="ready"]`)
    await valid(await sign(t, [file]))
    assert.equal(signings().length, before.length + 2)
  })

  test('with a wrong PIN: said by the window and by the page, which must not ask again at once', async () => {
    await pickFile(t, file)
    t.window.answers('pin 00000000', 'cancel')
    const count = t.window.transcript().length
    assert.equal(await press(t), 'error')
    await reason(t, 'pin_incorrect')
    const dialogs = t.window.transcript().slice(count)
    assert.equal(dialogs.length, 2)
    assert.equal(dialogs[0].error ?? '', '')
    assert.match(dialogs[1].error, /PIN/)
    assert.equal(await press(t), 'error')
    await reason(t, 'rate_limited')
    assert.equal(t.window.transcript().length, count + 2)
  })

  test('the pages themselves had nothing to complain of', () => assert.deepEqual(t.problems, []))
})

test('a soft token that is taken away leaves the page by itself', async () => {
  const t = await start({ softhsm: true })
  try {
    await t.openBrowser()
    await signIn(t)
    await letIn(t)
    const carriers = () => t.page.locator(`${at('carriers-state')} li`).allInnerTexts()
    await until('the soft token', async () => (await carriers()).some(x => x.includes('Soft token')))
    const tokens = join(t.dir, 'softhsm/tokens')
    for (const name of readdirSync(tokens)) rmSync(join(tokens, name), { recursive: true })
    await until('the soft token gone', async () => !(await carriers()).some(x => x.includes('Soft token')))
  } finally {
    await t.stop()
  }
})
