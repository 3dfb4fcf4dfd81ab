// The current certificate in the states that time brings: soon to expire, not at hand, expired; in both languages.
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { start, until } from './harness.mjs'
import { at, create, firstIssue, apply, approve, confirm, go, signIn, words } from './steps.mjs'

const card = `${at('section-signature')} ${at('certificate')}`

describe('a certificate that does not live for ever', () => {
  let t
  before(async () => {
    t = await start({ life: '240h' })
    await t.openBrowser()
    await signIn(t)
    await firstIssue(t)
  })
  after(() => t?.stop())

  test('soon to expire: the days are counted, re-issue is offered', async () => {
    await go(t, 'signature')
    await t.page.waitForSelector(`${card}[data-status="expiring"][data-source="ocsp"]`)
    const text = await words(t, card, 'signature-expiring')
    for (const said of [/скоро истекает/, /Осталось 9 дней/, /До конца срока 9 дней: перевыпустите сейчас/]) assert.match(text.ru, said)
    for (const said of [/expiring/, /9 days left/, /re-issue now/]) assert.match(text.en, said)
    await t.page.waitForSelector(`${card} ${at('warning')}`)
    assert.ok(await t.page.isEnabled(at('reissue')))
  })

  test('not at hand: seen by event, said, and nothing offered that cannot be done', async () => {
    const store = join(t.keys, 'keys.p12')
    renameSync(store, join(t.dir, 'away.p12'))
    await until('re-issue off', async () => !await t.page.isEnabled(at('reissue')))
    const text = await words(t, card, 'signature-absent')
    assert.match(text.ru, /Носителя с этим сертификатом сейчас нет/)
    assert.match(text.en, /is not in the computer now/)
    renameSync(join(t.dir, 'away.p12'), store)
    await until('re-issue on', () => t.page.isEnabled(at('reissue')))
  })

  test('no agent: the authority’s own records, and the way to Pero', async () => {
    await t.killAgent('SIGTERM')
    await t.page.waitForSelector(`${card}[data-status="expiring"][data-source="portal"]`)
    await t.page.waitForSelector(at('not-ready'))
    const text = await words(t, at('section-signature'), 'signature-no-agent')
    assert.match(text.ru, /Перо не подключено/)
    assert.match(text.en, /Pero is not connected/)
    await t.startAgent()
    await t.page.click(at('connect'))
    await t.page.waitForSelector(`${card}[data-source="ocsp"]`)
  })

  test('expired: told as such, not offered for signing or re-issue', async () => {
    t.portal.kill('SIGTERM')
    await t.portal.done
    await t.startPortal('--life', '10s')
    await signIn(t, 2)
    await apply(t)
    await approve(t)
    await confirm(t)
    await create(t)
    await until('the end of its time', async () => {
      await t.page.reload()
      await go(t, 'signature')
      await t.page.waitForSelector(card)
      return await t.page.getAttribute(card, 'data-status') === 'expired'
    })
    await t.page.waitForSelector(`${card} ${at('warning')}`)
    const text = await words(t, card, 'signature-expired')
    for (const said of [/Истёк/, /Подписывать этим сертификатом нельзя/, /Первый выпуск/, /по сроку, записанному в сертификате/]) assert.match(text.ru, said)
    for (const said of [/Expired on/, /You cannot sign with this certificate/, /First issue/]) assert.match(text.en, said)
    assert.ok(!await t.page.isEnabled(at('reissue')))
    const id = await t.page.getAttribute(card, 'data-id')
    await go(t, 'sign')
    assert.equal(await t.page.locator(`${at('certificate')} option[value="${id}"]`).count(), 0)
    assert.equal(await t.page.locator(`${at('certificate')} option`).count(), 1, 'the other one is there')
  })

  test('the page itself had nothing to complain of', () => assert.deepEqual(t.problems, []))
})
