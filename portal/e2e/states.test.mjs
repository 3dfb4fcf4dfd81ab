// Readiness: whatever stands in the way has words and a next step of its own, in both languages; and a page of the public internet.
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { start } from './harness.mjs'
import { at, catalogue, download, firstIssue, go, letIn, look, sign, signIn, verify, words } from './steps.mjs'

const forms = (language, key) => { const w = catalogue[language][key]; return typeof w === 'string' ? [w] : Object.values(w) }

// The card of readiness stands in a state and says so in both languages, with the next step when there is one to do.
const told = new Map()
async function says (t, card, state) {
  await t.page.waitForSelector(`${at(`${card}-state`)}[data-state="${state}"]`)
  const text = await words(t, at(`${card}-state`), `ready-${card}-${state}`)
  assert.notEqual(text.ru, text.en)
  for (const language of ['ru', 'en']) {
    for (const key of [`ready.${card}.${state}`, `ready.${card}.${state}.next`]) { // what stands around numbers and times
      const said = forms(language, key).some(f => f.split(/\{\w+\}/).every(part => text[language].includes(part.trim())))
      assert.ok(said, `${key} in ${text[language]}`)
    }
    if (!['ready', 'ok'].includes(state)) assert.notEqual(forms(language, `ready.${card}.${state}.next`)[0], '', 'what to do next')
    const before = told.get(text[language])
    assert.ok(!before || before === `${card}-${state}`, `${card}-${state} says the same as ${before}`)
    told.set(text[language], `${card}-${state}`)
  }
}

describe('readiness', () => {
  let t
  const origin = () => t.url.slice(0, -1)
  before(async () => {
    t = await start({ agent: false })
    await t.openBrowser()
    await signIn(t)
  })
  after(() => t?.stop())

  test('not looked at yet', () => says(t, 'agent', 'unknown'))

  test('no agent', async () => {
    await look(t)
    await says(t, 'agent', 'absent')
  })

  test('the service of a shared computer, and no agent of this person', async () => {
    const service = createServer((_, r) => r.writeHead(503, { 'Access-Control-Allow-Origin': '*' }).end('no_user_session\n'))
    await new Promise(resolve => service.listen(t.agentPort, '127.0.0.1', resolve))
    try {
      await look(t)
      await says(t, 'agent', 'no_user_session')
    } finally {
      service.closeAllConnections()
      await new Promise(resolve => service.close(resolve))
    }
  })

  test('an agent that has not let the site in', async () => {
    await t.startAgent()
    await look(t)
    await says(t, 'agent', 'ask')
  })

  test('the site window refused: said, and it may ask again', async () => {
    t.window.answers('cancel')
    await t.page.click(at('allow'))
    await t.page.waitForSelector(at('error'))
    assert.equal(await t.page.locator(at('error')).innerText(), catalogue.ru['reason.access_denied'])
    await says(t, 'agent', 'ask')
    assert.equal(t.pero('sites', '--json').trim(), '', 'nothing was granted')
  })

  test('the site blocked in its window, and let in again by command', async () => {
    t.window.answers('notok')
    await t.page.click(at('allow'))
    await says(t, 'agent', 'blocked')
    await t.page.reload()
    await look(t)
    await says(t, 'agent', 'blocked')
    const windows = t.window.transcript().length
    assert.equal(await t.page.locator(at('allow')).count(), 0, 'a blocked site has nothing to ask')
    t.pero('sites', 'revoke', origin())
    await letIn(t)
    await says(t, 'agent', 'ready')
    assert.equal(t.window.transcript().length, windows + 1)
  })

  test('a carrier is at hand', () => says(t, 'carriers', 'ok'))

  test('no carrier: others may write to the folder of keys, so it is not used', async () => {
    chmodSync(t.keys, 0o777)
    await look(t)
    await says(t, 'carriers', 'none')
  })

  test('a carrier that cannot be written to', async () => {
    chmodSync(t.keys, 0o500)
    await t.killAgent('SIGTERM')
    await t.page.waitForSelector(`${at('agent-state')}[data-state="absent"]`) // by the event of the connection
    // Root may write anywhere; here it may not.
    await t.startAgent(...process.getuid() === 0 ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override'] : [])
    await look(t)
    await says(t, 'agent', 'ready')
    await says(t, 'carriers', 'unusable')
    chmodSync(t.keys, 0o700)
    await look(t)
    await says(t, 'carriers', 'ok')
  })

  test('a clock that is wrong', async () => {
    await says(t, 'clock', 'ok')
    await t.page.clock.setFixedTime(Date.now() + 10 * 60000)
    await look(t)
    await says(t, 'clock', 'wrong')
    assert.match(await t.page.locator(at('clock-state')).innerText(), /\b10 мин/)
  })

  test('the page itself had nothing to complain of', () => assert.deepEqual(t.problems, []))
})

describe('a portal on the public internet', () => {
  let t
  before(async () => { t = await start({ publicPage: true }) })
  after(() => t?.stop())

  test('with the permission: from nothing to a signature', async () => {
    await t.openBrowser({ permissions: ['local-network-access'] })
    await signIn(t)
    await firstIssue(t)
    const file = join(t.dir, 'письмо.txt')
    writeFileSync(file, 'Здравствуйте.\n')
    const result = (await sign(t, [file])).first()
    assert.equal(await result.getAttribute('data-valid'), 'true')
    verify(t, await download(t, result, 'письмо.p7s'), file)
  })

  test('without it: the browser is named, and where to allow it', async () => {
    await t.openBrowser({ permissions: [] })
    await signIn(t)
    await look(t)
    await says(t, 'agent', 'permission_denied')
    await go(t, 'sign')
    await t.page.click(at('connect'))
    await t.page.waitForSelector(at('section-ready'))
  })

  test('while the browser asks: its question is pointed at', async () => {
    await t.openBrowser({ screen: true })
    await signIn(t)
    await look(t)
    await says(t, 'agent', 'permission_pending')
  })
})
