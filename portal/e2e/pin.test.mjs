// The PIN of a token, changed and set anew from the page's readiness check: the page opens Pero's window and learns how it ended.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { start } from './harness.mjs'
import { at, catalogue, letIn, look, signIn, words } from './steps.mjs'

describe('the PIN of a token', () => {
  let t
  const card = (...lines) => writeFileSync(join(t.dir, 'module.so.control'), ['key none', ...lines].join('\n') + '\n')
  const calls = name => readFileSync(join(t.dir, 'module.so.control.calls'), 'utf8').split('\n').filter(l => l === name).length
  const note = text => t.page.waitForFunction(s => document.querySelector('main')?.innerText.includes(s), text)
  before(async () => {
    t = await start({ module: true })
    card('tobechanged 1')
    await t.openBrowser()
    await signIn(t)
    await letIn(t)
  })
  after(() => t?.stop())

  test('a token that wants its PIN changed says so, and it is changed', async () => {
    const said = await words(t, at('carriers-state'), 'ready-pin')
    for (const l of ['ru', 'en']) assert.ok(said[l].includes(catalogue[l]['token.pin_to_be_changed']), said[l])
    t.window.answers('pin 1234', 'pin 4321')
    assert.equal(await t.page.locator(at('pin')).count(), 1, 'one for the token, none for the file that is not there yet')
    await t.page.click(at('pin'))
    await note(catalogue.ru['ready.pin.done'].replace('{name}', 'Test token'))
    assert.equal(calls('C_SetPIN'), 1)
    assert.equal(readFileSync(join(t.dir, 'module.so.control.userpin'), 'utf8'), '4321')
    await t.page.waitForFunction(s => !document.querySelector('main').innerText.includes(s), catalogue.ru['token.pin_to_be_changed'])
    const shown = t.window.transcript().map(d => d.description).join('\n')
    assert.ok(shown.includes(t.url.slice(0, -1)), 'the window names the site')
  })

  test('who says no is told so, and nothing is tried', async () => {
    t.window.answers('cancel')
    await t.page.click(at('pin'))
    await note(catalogue.ru['reason.user_cancelled'])
    assert.equal(calls('C_SetPIN'), 1)
  })

  test('a locked PIN is set anew in the same way', async () => {
    writeFileSync(join(t.dir, 'module.so.control.tries'), '3\n')
    await look(t)
    await t.page.waitForFunction(s => document.querySelector('main').innerText.includes(s), catalogue.ru['token.pin_locked'])
    t.window.answers('pin 87654321', 'pin 5678')
    await t.page.click(at('pin'))
    await t.page.waitForFunction(s => !document.querySelector('main').innerText.includes(s), catalogue.ru['token.pin_locked'])
    assert.equal(calls('C_InitPIN'), 1)
    assert.equal(readFileSync(join(t.dir, 'module.so.control.userpin'), 'utf8'), '5678')
    assert.deepEqual(t.problems, [])
    assert.deepEqual(t.journal().map(r => r.decision ?? r).filter(d => /^pin_/.test(d.act)).map(d => [d.act, d.result]), [['pin_change', 'ok'], ['pin_change', 'user_cancelled'], ['pin_reset', 'ok']])
  })
})
