// The eight points of the portal, as a person goes through them, with GOST keys of both sizes on a key file and on a token, and with RSA on a
// soft token under an authority of another kind; every signature, request, certificate, list and answer is judged by openssl.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openssl, start, until } from './harness.mjs'
import { approve, at, confirm, create, desk, download, go, letIn, sign, signIn, verify, words, catalogue } from './steps.mjs'

const issuing = t => join(t.dir, 'portal/ca/issuing.pem')

// What the authority's responder says of a certificate, in openssl's words, if its signature holds.
const ocsp = (t, certificate) => openssl('ocsp', '-issuer', issuing(t), '-cert', certificate, '-url', t.url + 'ca/ocsp', '-CAfile', t.root, '-no_nonce')

// How openssl names the keys; what follows an RSA key is of the soft token's usual kind.
const keyWords = { 'gost2012-256': /GOST R 34.10-2012 with 256 bit modulus/, 'gost2012-512': /GOST R 34.10-2012 with 512 bit modulus/, 'rsa-2048': /Public-Key: \((2048|256) bit\)/ }

// usual: the kind of key is the one that the page offers first. wrongPIN costs half a minute: one has it.
for (const kind of [
  { carrier: 'file', pin: 'ключ от дома 42', algorithm: 'gost2012-256', usual: true, locale: 'ru-RU', way: /ГОСТ Р 34.10-2012, Стрибог-256/, smtp: true },
  { carrier: 'file', pin: 'ключ от дома 42', algorithm: 'gost2012-512', locale: 'en-GB', way: /GOST R 34.10-2012, Streebog-512/, authority: 'gost2012-512' },
  { carrier: 'smartcard', pin: '1234', algorithm: 'gost2012-256', usual: true, locale: 'ru-RU', module: true, wrongPIN: true },
  { carrier: 'smartcard', pin: '1234', algorithm: 'gost2012-512', locale: 'en-GB', module: true },
  { carrier: 'software', pin: '1234', algorithm: 'rsa-2048', locale: 'en-GB', softhsm: true, smtp: true, authority: 'ec-p256' }
]) {
  describe(`a citizen with ${kind.algorithm} on a ${kind.carrier} carrier`, () => {
    let t
    const requests = [] // what the page sent to the authority
    before(async () => {
      t = await start(kind)
      await t.openBrowser()
      t.page.on('request', r => { if (r.method() === 'POST' && r.url().endsWith('/certificate')) requests.push(r.postDataJSON()) })
      await signIn(t)
    })
    after(() => t?.stop())

    test('readiness: the agent is found and asks about the site once', async () => {
      await letIn(t)
      const asked = t.window.transcript().filter(d => d.description.includes(`127.0.0.1:${t.portalPort}`))
      assert.equal(asked.length, 1)
      await t.page.waitForSelector(`${at('carriers-state')}[data-state="ok"]`)
      await t.page.waitForSelector(`${at('clock-state')}[data-state="ok"]`)
    })

    test('first issue: a wrong INN is refused, the desk approves, the code comes by letter and outbox', async () => {
      await go(t, 'first')
      await t.page.click(at('new-application'))
      await t.page.click(at('next'))
      await t.page.fill(at('field-inn'), '770812345621')
      await t.page.click(at('next'))
      assert.notEqual(await t.page.locator(at('error-inn')).innerText(), '')
      await t.page.fill(at('field-inn'), '770812345620')
      await t.page.click(at('next'))
      const scan = join(t.dir, 'scan.png')
      writeFileSync(scan, 'this is no picture')
      await t.page.setInputFiles(at('attach'), scan)
      await t.page.waitForSelector(at('error'))
      const pdf = join(t.dir, 'снилс.pdf')
      writeFileSync(pdf, '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')
      await t.page.setInputFiles(at('attach'), pdf)
      await t.page.waitForSelector(at('attachment'))
      await t.page.click(at('submit'))
      await t.page.waitForSelector(`${at('application')}[data-state="submitted"]`)
      await approve(t)
      await t.page.waitForSelector(at('code'))
      await t.page.fill(at('code'), '000000')
      await t.page.click(at('confirm'))
      await t.page.waitForSelector(at('error'))
      if (kind.smtp) await until('the letter with the code', () => t.letters().length > 0)
      await confirm(t)
    })

    test('the usual kind of key is chosen already, in words of both languages', async () => {
      await go(t, 'add')
      assert.equal(await t.page.locator('[data-carrier]:checked').getAttribute('data-carrier'), kind.module ? 'smartcard' : 'file', 'the carrier makes GOST keys, a card before a file')
      await t.page.locator(`[data-carrier="${kind.carrier}"]`).first().check()
      assert.equal(await t.page.locator(at('gost-elsewhere')).innerText() !== '', Boolean(kind.softhsm), 'a carrier without GOST names one that has it')
      const list = t.page.locator(at('key-algorithm'))
      assert.equal(await list.inputValue(), kind.softhsm ? 'ec-p256' : 'gost2012-256')
      const text = await words(t, at('section-add'), `add-${kind.algorithm}-${kind.carrier}`)
      for (const l of ['ru', 'en']) assert.ok(text[l].includes(catalogue[l][`key.${kind.algorithm}`]), 'the kind of key is offered')
    })

    test('the certificate: key, request, PIN in the window, test signature, message, letter', async () => {
      const shown = t.window.transcript().length
      await create(t, { ...kind, algorithm: kind.usual ? undefined : kind.algorithm })
      const windows = t.window.transcript().slice(shown)
      assert.equal(windows.length, 1, 'one PIN for the whole issue')
      assert.match(windows[0].description, /770812345620/, 'the window shows what will be requested')
      if (kind.smtp) await until('the letter about the certificate', () => t.letters().length > 1)
    })

    test('the current certificate is good, and a responder really said so', async () => {
      await go(t, 'signature')
      const card = t.page.locator(`${at('section-signature')} ${at('certificate')}`).first()
      assert.equal(await card.getAttribute('data-status'), 'valid')
      assert.equal(await card.getAttribute('data-source'), 'ocsp')
      const text = await words(t, at('section-signature'), `signature-${kind.algorithm}-${kind.carrier}`)
      for (const l of ['ru', 'en']) assert.ok(text[l].includes(catalogue[l][`key.${kind.algorithm}`]), 'the kind of key is named')
    })

    test('several documents with one PIN, verified by the portal and by openssl', async () => {
      const files = ['договор.txt', 'приложение.bin'].map(n => join(t.dir, n))
      writeFileSync(files[0], 'Договор об оказании услуг\n')
      writeFileSync(files[1], Buffer.alloc(3 << 20, 7))
      const shown = t.window.transcript().length
      const results = await sign(t, files, kind)
      assert.equal(t.window.transcript().length - shown, 1)
      assert.equal(await t.page.locator(at('file')).count(), 0, 'what is signed is no longer on the list')
      assert.ok(await t.page.isDisabled(at('sign')))
      const text = await words(t, `${at('section-sign')} > :last-child`, `signed-${kind.algorithm}-${kind.carrier}`)
      for (const l of ['ru', 'en']) assert.ok(text[l].includes(catalogue[l]['verdict.claimed']), 'the results are in the language of the page')
      const window = t.window.transcript().at(-1).description
      for (const name of ['договор.txt', 'приложение.bin']) assert.ok(window.includes(name), 'the window lists ' + name)
      for (let i = 0; i < files.length; i++) {
        assert.equal(await results.nth(i).getAttribute('data-valid'), 'true')
        assert.match(await results.nth(i).innerText(), /Иванова Анна Петровна/)
        if (kind.way) assert.match(await results.nth(i).innerText(), kind.way)
        const p7s = await download(t, results.nth(i), `${i}.p7s`)
        verify(t, p7s, files[i])
      }
    })

    test('an attached signature holds the document', async () => {
      const file = join(t.dir, 'справка.txt')
      writeFileSync(file, 'x'.repeat(2 << 20))
      const results = await sign(t, [file], { ...kind, packaging: 'attached' })
      assert.equal(await results.first().getAttribute('data-valid'), 'true')
      assert.equal(await results.first().locator(at('download')).getAttribute('download'), 'справка.txt.p7m')
      const p7m = await download(t, results.first(), 'a.p7m')
      const out = join(t.dir, 'a.out')
      openssl('cms', '-verify', '-cades', '-binary', '-inform', 'DER', '-in', p7m, '-CAfile', t.root, '-purpose', 'any', '-out', out)
      assert.ok(readFileSync(out).equals(readFileSync(file)))
    })

    if (kind.wrongPIN) test('a wrong PIN is said as such, and the next try works', async () => {
      const file = join(t.dir, 'договор.txt')
      await go(t, 'sign')
      await t.page.setInputFiles(at('files'), [file])
      t.window.answers('pin 99999999', 'cancel')
      await t.page.click(at('sign'))
      await t.page.waitForSelector(at('error'))
      const second = t.window.transcript().at(-1)
      assert.notEqual(second.error, '', 'the second window says that the PIN was refused')
    })

    test('re-issue: one button, the old key signs, the old certificate stays', async () => {
      if (kind.wrongPIN) await new Promise(resolve => setTimeout(resolve, 31000)) // a wrong PIN asked for by a site: half a minute of peace for the card
      await go(t, 'signature')
      const card = t.page.locator(`${at('section-signature')} ${at('certificate')}`).first()
      const old = await card.getAttribute('data-id')
      await card.locator('summary').first().click()
      assert.equal(await t.page.locator(at('key-algorithm')).inputValue(), kind.softhsm ? 'ec-p256' : kind.algorithm, 'a GOST key is followed by one of its size')
      t.window.answers(`pin ${kind.pin}`)
      await t.page.click(at('reissue'))
      await t.page.waitForSelector(at('success'), { timeout: 60000 })
      assert.notEqual(await card.getAttribute('data-id'), old)
      await go(t, 'backup')
      assert.equal(await t.page.locator(at('export-cer')).count(), 2, 'both certificates are on the carrier')
      const rows = await t.page.locator(`${at('section-backup')} li`, { has: t.page.locator(at('export-cer')) }).allInnerTexts()
      assert.notEqual(rows[0], rows[1], 'they can be told apart')
      await go(t, 'sign')
      const options = await t.page.locator(`${at('certificate')} option`).allInnerTexts()
      assert.notEqual(options[0], options[1])
      const select = t.page.locator(`${at('section-sign')} ${at('certificate')}`)
      for (const index of [0, 1]) {
        await select.selectOption({ index })
        const hint = await t.page.locator(`${at('section-sign')} .field > .hint`).innerText()
        assert.ok(hint.includes(/…\w{6}$/.exec(options[index])[0]), 'where the list is too narrow to show which is chosen, the line below it does')
      }
      await select.selectOption({ index: 0 })
      if (kind.smtp) await until('the letter about the re-issue', () => t.letters().length > 2)
    })

    test('both requests hold for openssl, and the second is signed by the old key', () => {
      assert.equal(requests.length, 2)
      for (const r of requests) {
        const csr = join(t.dir, 'request.der')
        writeFileSync(csr, Buffer.from(r.csr, 'base64'))
        openssl('req', '-verify', '-inform', 'DER', '-in', csr, '-noout')
      }
      const [signed, out] = ['signed.p7m', 'signed.der'].map(n => join(t.dir, n))
      writeFileSync(signed, Buffer.from(requests[1].signedRequest, 'base64'))
      openssl('cms', '-verify', '-cades', '-binary', '-inform', 'DER', '-in', signed, '-CAfile', t.root, '-purpose', 'any', '-out', out)
      assert.ok(readFileSync(out).equals(Buffer.from(requests[1].csr, 'base64')))
    })

    test('backup: the certificate as a file that openssl reads', async () => {
      await go(t, 'backup')
      const [d] = await Promise.all([t.page.waitForEvent('download'), t.page.locator(at('export-pem')).first().click()])
      const pem = join(t.dir, 'certificate.pem')
      await d.saveAs(pem)
      assert.match(openssl('x509', '-in', pem, '-noout', '-subject', '-nameopt', 'utf8'), /Иванова/)
      const text = openssl('x509', '-in', pem, '-noout', '-text')
      assert.match(text, keyWords[kind.algorithm])
      for (const said of ['Signing Tool of Issuer', 'Signing Tool of Subject', 'Class of Signing Tool KC2', 'Private Key Usage Period']) assert.ok(text.includes(said), said)
      assert.match(openssl('verify', '-x509_strict', '-CAfile', t.root, '-untrusted', issuing(t), '-purpose', 'smimesign', pem), /OK/)
      assert.match(ocsp(t, pem), /: good/)
    })

    if (kind.carrier === 'file') {
      test('backup of the file carrier and restore from it', async () => {
        const copy = join(t.dir, 'копия.p12')
        t.window.answers(`pin ${kind.pin}`, `file ${copy}`)
        await go(t, 'backup')
        await t.page.locator(at('backup')).first().click()
        await t.page.waitForSelector(at('success'))
        assert.ok(existsSync(copy))
        openssl('pkcs12', '-in', copy, '-passin', `pass:${kind.pin}`, '-nokeys')
        for (const f of readdirSync(t.keys).filter(f => f.endsWith('.p12'))) execFileSync('rm', [join(t.keys, f)])
        await until('the carrier gone from the page', async () => await t.page.locator(at('export-cer')).count() === 0)
        t.window.answers(`file ${copy}`, `pin ${kind.pin}`)
        await t.page.click(at('restore'))
        await t.page.waitForSelector(at('success'))
        await until('the certificates back', async () => await t.page.locator(at('export-cer')).count() === 2)
        const file = join(t.dir, 'договор.txt')
        const results = await sign(t, [file], kind)
        assert.equal(await results.first().getAttribute('data-valid'), 'true')
      })
    }

    test('revoked by the desk: the status is asked anew and the warning goes with it', async () => {
      await desk(t, async page => {
        const card = page.locator(`${at('certificate')}[data-status="valid"]`)
        while (await card.count()) {
          await card.first().locator(at('revoke')).click()
          assert.equal(await card.first().locator(at('revoke')).isVisible(), false, 'its form is open')
          await page.selectOption(at('revoke-reason'), 'keyCompromise')
          const before = await card.count()
          await page.click(at('revoke-send'))
          await page.waitForFunction(n => document.querySelectorAll('[data-test="certificate"][data-status="valid"]').length < n, before)
        }
      })
      await t.page.reload()
      await go(t, 'signature')
      const card = t.page.locator(`${at('section-signature')} ${at('certificate')}`).first()
      await until('the revoked state', async () => await card.getAttribute('data-status') === 'revoked')
      await t.page.waitForSelector(at('warning'))
      await go(t, 'sign')
      const select = t.page.locator(`${at('section-sign')} ${at('certificate')}`)
      assert.equal(await select.inputValue(), '', 'nothing is chosen to sign with')
      for (const option of await select.locator('option').allInnerTexts()) assert.match(option, kind.locale === 'ru-RU' ? /^ОТОЗВАН/ : /^REVOKED/)
      assert.match(ocsp(t, join(t.dir, 'certificate.pem')), /: revoked/)
      const crl = join(t.dir, 'issuing.crl')
      writeFileSync(crl, Buffer.from(await (await fetch(t.url + 'ca/issuing.crl')).arrayBuffer()))
      const list = openssl('crl', '-inform', 'DER', '-in', crl, '-CAfile', issuing(t), '-noout', '-text') // a bad signature is an error
      assert.equal(list.match(/Key Compromise/g).length, 2)
    })

    test('the page itself had nothing to complain of', () => assert.deepEqual(t.problems, []))
  })
}
