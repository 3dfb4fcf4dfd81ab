// A disk that is full, before an enrolment and in the middle of it, and while signing: said as such, nothing lost, and it goes on when
// there is room. The disk is a small tmpfs that only the agent sees.
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { start, until } from './harness.mjs'
import { windows } from './processes.mjs'
import { apply, approve, at, confirm, go, letIn, pickFile, press, reason, signIn } from './steps.mjs'

const pin = '12345678'

describe('a full disk', () => {
  let t
  const stores = () => readdirSync(join(t.disk.path, 'keys')).filter(f => f.endsWith('.p12'))
  before(async () => {
    t = await start({ disk: 2 ** 21 })
    await t.openBrowser()
    await signIn(t)
    await letIn(t)
    await apply(t)
    await approve(t)
    await confirm(t)
  })
  after(() => t?.stop())

  test('before an enrolment: refused before anybody is asked or a carrier is touched', async () => {
    await go(t, 'add')
    await t.page.waitForSelector('[data-carrier="file"]')
    t.window.answers(`pin ${pin}`)
    const count = t.window.transcript().length
    t.disk.fill()
    await t.page.click(at('create'))
    await reason(t, 'storage_failed')
    assert.equal(t.window.transcript().length, count)
    assert.deepEqual(stores(), [])
    t.disk.free()
  })

  test('in the middle of one: nothing half made, and the same enrolment goes on', async () => {
    await t.page.click(at('again'))
    const flag = join(t.dir, 'flag')
    t.window.answers(`after ${flag} pin ${pin}`)
    await t.page.click(at('create'))
    await until('the window', () => windows(t).length === 1)
    t.disk.fill()
    writeFileSync(flag, '')
    await reason(t, 'storage_failed')
    assert.deepEqual(stores(), [])
    t.disk.free()
    t.window.answers(`pin ${pin}`)
    await t.page.click(at('again'))
    await t.page.click(at('create'))
    await t.page.waitForSelector(at('success'))
    assert.equal(stores().length, 1)
    assert.equal(await t.page.locator(at('waiting')).count(), 0)
    assert.equal(t.pero('journal', '--check', '--json').trim(), '')
  })

  test('while signing: refused, the documents stay in the list', async () => {
    const file = join(t.dir, 'отчёт.bin')
    writeFileSync(file, Buffer.alloc(2 ** 20, 1))
    await pickFile(t, file)
    await t.page.locator(`${at('section-sign')} summary`).click()
    await t.page.check(at('packaging-attached'))
    t.window.answers(`pin ${pin}`)
    t.disk.fill()
    assert.equal(await press(t), 'error')
    await reason(t, 'storage_failed')
    t.disk.free()
    await t.page.check(at('packaging-detached'))
    assert.equal(await press(t), 'result')
    assert.equal(await t.page.locator(at('result')).first().getAttribute('data-valid'), 'true')
  })

  test('the page itself had nothing to complain of', () => assert.deepEqual(t.problems, []))
})
