// The PIN of a token, changed and set anew from the page's readiness check: the page opens Pero's window and learns how it ended.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { start } from './harness.mjs'
import { at, catalogue, letIn, look, signIn, words } from './steps.mjs'

describe('the PIN of a token', () => {
  let t
  const card = (...lines) => writeFileSync(join(t.dir, 'module.so.control'), ['key none', ...lines].join('\n') + '\n')
  const calls = name => kept('calls').split('\n').filter(l => l === name).length
  const note = text => t.page.waitForFunction(s => document.querySelector('main')?.innerText.includes(s), text)
  // The line of the token says, or says no more, what its state is called.
  const says = (state, yes = true) => t.page.waitForFunction(([button, text, yes]) => document.querySelector(button)?.closest('li').innerText.includes(text) === yes,
    [at('pin'), catalogue.ru[`token.${state}`], yes])
  const kept = name => readFileSync(join(t.dir, `module.so.control.${name}`), 'utf8')
  const locked = async () => {
    writeFileSync(join(t.dir, 'module.so.control.tries'), '3\n')
    await look(t)
    await says('pin_locked')
  }
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
    assert.equal(kept('userpin'), '4321')
    await says('pin_to_be_changed', false)
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
    await locked()
    t.window.answers('pin 87654321', 'pin 5678')
    await t.page.click(at('pin'))
    await says('pin_locked', false)
    assert.equal(calls('C_InitPIN'), 1)
    assert.equal(kept('userpin'), '5678')
  })

  test('where the card has a PUK, that unblocks it', async () => {
    card('library OpenSC', 'unblock puk')
    await locked()
    const before = t.window.transcript().length
    t.window.answers('pin 87654321', 'pin 8765')
    await t.page.click(at('pin'))
    await says('pin_locked', false)
    const shown = t.window.transcript().slice(before).map(d => d.prompt)
    assert.ok(shown.some(p => p.includes('PUK')), shown.join())
    assert.equal(calls('C_SetPIN'), 2, 'the PUK goes to the card in place of the PIN')
    assert.equal(calls('C_InitPIN'), 1)
    assert.equal(kept('userpin'), '8765')
  })

  test('a token without a PIN gets its first', async () => {
    rmSync(join(t.dir, 'module.so.control.userpin'))
    card('pinset 0')
    await look(t)
    await says('pin_not_set')
    t.window.answers('pin 87654321', 'pin 1357')
    await t.page.click(at('pin'))
    await says('pin_not_set', false)
    assert.equal(calls('C_InitPIN'), 2)
    assert.equal(kept('userpin'), '1357')
    assert.deepEqual(t.problems, [])
    const acts = t.journal().map(r => r.decision ?? r).filter(d => /^pin_/.test(d.act)).map(d => [d.act, d.result])
    assert.deepEqual(acts, [['pin_change', 'ok'], ['pin_change', 'user_cancelled'], ['pin_reset', 'ok'], ['pin_reset', 'ok'], ['pin_reset', 'ok']])
  })
})
