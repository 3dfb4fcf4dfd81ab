// What a person does in the portal, step by step, in words that the tests share.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openssl, root, until } from './harness.mjs'

// The portal's words in a language.
export const catalogue = Object.fromEntries(['ru', 'en'].map(l => [l, JSON.parse(readFileSync(join(root, `portal/page/${l}.json`), 'utf8'))]))

export const at = name => `[data-test="${name}"]`

// A scan that is really a PNG: one grey pixel.
const scan = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==', 'base64')

export async function signIn (t, person = 1) {
  await t.page.goto(t.url)
  await t.page.waitForSelector(`${at(`person-${person}`)}, ${at('sign-out')}`)
  if (await t.page.locator(at('sign-out')).count()) await t.page.click(at('sign-out'))
  await t.page.click(at(`person-${person}`))
  await t.page.waitForSelector(at('section-ready'))
}

export async function go (t, section) {
  await t.page.click(at(`nav-${section}`))
  await t.page.waitForSelector(at(`section-${section}`))
}

// Readiness is looked at anew; what it shows comes by and by.
export async function look (t) {
  await go(t, 'ready')
  await t.page.click(at('check'))
}

// What stands there in Russian and in English. PERO_SHOTS names a folder for pictures of it, wide and narrow.
export async function words (t, selector, name) {
  const text = {}
  const before = await t.page.getAttribute('html', 'lang')
  for (const language of ['ru', 'en', before]) {
    await t.page.click(at(`language-${language}`))
    await t.page.waitForSelector(`${at(`language-${language}`)}[aria-pressed="true"]`) // the page is drawn anew
    await t.page.waitForFunction(s => document.querySelector(s)?.innerText.trim(), selector)
    text[language] = await t.page.locator(selector).first().innerText()
    if (process.env.PERO_SHOTS) await shoot(t, `${name}-${language}`)
  }
  return text
}

async function shoot (t, name) {
  mkdirSync(process.env.PERO_SHOTS, { recursive: true })
  for (const width of [1200, 360]) {
    await t.page.setViewportSize({ width, height: 900 })
    await t.page.screenshot({ path: join(process.env.PERO_SHOTS, `${name}-${width}.png`), fullPage: true })
  }
  await t.page.setViewportSize({ width: 1200, height: 900 })
}

// Readiness: the agent is found, the site window is answered with yes.
export async function letIn (t) {
  t.window.answers('ok')
  await look(t)
  const state = at('agent-state')
  await t.page.waitForSelector(`${state}[data-state="ask"], ${state}[data-state="ready"]`)
  if (await t.page.getAttribute(state, 'data-state') === 'ask') await t.page.click(at('allow'))
  await t.page.waitForSelector(`${state}[data-state="ready"]`)
}

export async function apply (t) {
  await go(t, 'first')
  await t.page.click(at('new-application'))
  await t.page.waitForSelector(at('authority-own'))
  await t.page.click(at('next'))
  await t.page.waitForSelector(at('field-inn'))
  await t.page.click(at('next'))
  const file = join(t.dir, 'паспорт.png')
  writeFileSync(file, scan)
  await t.page.setInputFiles(at('attach'), file)
  await t.page.waitForSelector(at('attachment'))
  await t.page.click(at('submit'))
  await t.page.waitForSelector(`${at('application')}[data-state="submitted"]`)
}

// The authority's desk, in a tab of its own.
export async function desk (t, act) {
  const page = await t.context.newPage()
  await page.goto(t.url + 'desk')
  await page.waitForSelector(`${at('desk-sign-in')}, ${at('approve')}, ${at('certificate')}`)
  if (await page.locator(at('desk-sign-in')).count()) await page.click(at('desk-sign-in'))
  await act(page)
  await page.close()
}

export const approve = t => desk(t, async page => {
  await page.locator(at('approve')).first().click()
  await page.waitForFunction(() => !document.querySelector('[data-test="approve"]'))
})

// The code, from the outbox page.
export async function readCode (t) {
  const page = await t.context.newPage()
  await page.goto(t.url + 'outbox')
  const text = await page.locator(at('message')).filter({ hasText: /\d{6}/ }).first().innerText()
  await page.close()
  return /\b\d{6}\b/.exec(text)[0]
}

export async function confirm (t) {
  await t.page.waitForSelector(at('code'))
  await t.page.fill(at('code'), await readCode(t))
  await t.page.click(at('confirm'))
  await t.page.waitForSelector(at('go-add'))
}

// Point 4: the carrier is 'file', 'software' (the soft token) or 'smartcard' (the test module's). Without an algorithm the page's own choice stays.
export async function create (t, { carrier = 'file', pin = '12345678', algorithm } = {}) {
  await go(t, 'add')
  const radio = `[data-carrier="${carrier}"]`
  await t.page.waitForSelector(radio)
  await t.page.locator(radio).first().check()
  if (algorithm) await t.page.selectOption(at('key-algorithm'), algorithm)
  t.window.answers(`pin ${pin}`)
  await t.page.click(at('create'))
  await t.page.waitForSelector(at('success'), { timeout: 60000 })
}

export async function firstIssue (t, options) {
  await letIn(t)
  await apply(t)
  await approve(t)
  await confirm(t)
  await create(t, options)
}

// Signs files in the section for it and gives what the portal says of each.
export async function sign (t, files, { pin = '12345678', packaging = 'detached', timeout = 60000 } = {}) {
  await go(t, 'sign')
  for (const left = t.page.locator(`${at('file')} button`); await left.count();) await left.first().click() // of a try that failed
  await t.page.setInputFiles(at('files'), files)
  if (packaging === 'attached') {
    await t.page.locator(`${at('section-sign')} summary`).click()
    await t.page.check(at('packaging-attached'))
  }
  t.window.answers(`pin ${pin}`)
  await t.page.click(at('sign'))
  await until('the results', async () => await t.page.locator(at('result')).count() === files.length || await t.page.locator(at('error')).count(), timeout / 1000)
  if (await t.page.locator(at('error')).count()) throw new Error('the page says: ' + await t.page.locator(at('error')).first().innerText())
  return t.page.locator(at('result'))
}

export async function pickFile (t, file) {
  await go(t, 'sign')
  await t.page.setInputFiles(at('files'), file)
  await t.page.waitForSelector(at('file'))
}

// Presses the button and waits for the end: 'result' or 'error'.
export async function press (t) {
  await t.page.click(at('sign'))
  return until('the end of a signing', async () => {
    for (const end of ['result', 'error']) if (await t.page.locator(at(end)).count()) return end
  }, 60)
}

// The page says why it failed (one of the reasons), in its catalogue's words.
export async function reason (t, ...names) {
  await t.page.waitForSelector(at('error'))
  const language = await t.page.getAttribute('html', 'lang')
  const text = await t.page.locator(at('error')).first().innerText()
  const expected = names.map(n => catalogue[language][`reason.${n}`] ?? catalogue[language][n])
  assert.ok(expected.includes(text), `${text}, and not: ${expected.join(' | ')}`)
}

// The signature behind a result's download link, as a file beside the others.
export async function download (t, result, name) {
  const [d] = await Promise.all([t.page.waitForEvent('download'), result.locator(at('download')).click()])
  const path = join(t.dir, name)
  await d.saveAs(path)
  return path
}

// openssl's own opinion of a detached signature over a file.
export function verify (t, signature, file) {
  openssl('cms', '-verify', '-cades', '-binary', '-inform', 'DER', '-in', signature, '-content', file, '-CAfile', t.root, '-purpose', 'any', '-out', '/dev/null')
}
