// A document of 1 GiB from a page to a signature, in bounded memory of the agent.
import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { start } from './harness.mjs'
import { at, download, firstIssue, sign, signIn, verify } from './steps.mjs'

const GiB = 2 ** 30
const bound = 64 * 2 ** 20 // octets beside what the agent has at rest

let t
before(async () => {
  t = await start()
  await t.openBrowser()
  await signIn(t)
  await firstIssue(t)
})
after(() => t?.stop())

// A value of the agent's /proc/PID/status, octets.
const memory = name => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${t.agent.pid}/status`, 'utf8'))[1]) * 1024

test('1 GiB: signed, verified by the portal and by openssl, the agent within 64 MiB', async () => {
  const file = join(t.dir, 'съёмка.bin')
  const out = openSync(file, 'w') // sparse: nothing of it is on the disk but its ends
  writeSync(out, 'first')
  writeSync(out, 'last', GiB - 4)
  closeSync(out)
  assert.equal(statSync(file).size, GiB)
  writeFileSync(`/proc/${t.agent.pid}/clear_refs`, '5') // VmHWM counts from here
  const before = memory('VmRSS')
  const result = (await sign(t, [file], { timeout: 180000 })).first()
  const peak = memory('VmHWM')
  assert.ok(peak <= before + bound, `the agent had ${before >> 20} MiB, and ${peak >> 20} MiB at its peak`)
  assert.equal(await result.getAttribute('data-valid'), 'true')
  assert.equal(await t.page.locator(at('error')).count(), 0)
  verify(t, await download(t, result, 'съёмка.p7s'), file)
  assert.deepEqual(t.problems, [])
})
