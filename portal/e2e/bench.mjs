// The page's side of the benchmarks: node bench.mjs MEASURE ORIGIN AGENT_PORT FILE CERTIFICATE; prints one JSON object.
import { chromium } from 'playwright-core'

const [measure, origin, port, file, certificate] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
})
const page = await (await browser.newContext()).newPage()
await page.goto(origin + '/')
if (file) await page.setInputFiles('input', file)

// Milliseconds of each round trip: 1 KiB by a bare WebSocket, then one small request of the agent, alternating.
const echo = async ({ port, certificate }) => {
  const { connect } = await import('/pero.js')
  const pero = await connect({ port: Number(port) })
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo')
  await new Promise(resolve => { socket.onopen = resolve })
  const text = 'x'.repeat(1024)
  const result = { Echo: [], Agent: [] }
  for (let i = 0; i < 301; i++) {
    let start = performance.now()
    await new Promise(resolve => { socket.onmessage = resolve; socket.send(text) })
    result.Echo.push(performance.now() - start)
    start = performance.now()
    await pero.enrollments()
    result.Agent.push(performance.now() - start)
  }
  pero.close()
  return result
}

// MiB per second: the same file by a bare WebSocket in frames of 1 MiB, then signed by the agent, alternating.
const upload = async ({ port, certificate }) => {
  const { connect } = await import('/pero.js')
  const [blob] = document.querySelector('input').files
  const { size } = blob
  const result = { Bare: [], Agent: [] }
  for (let i = 0; i < 3; i++) {
    let start = performance.now()
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/sink?size=' + size)
    await new Promise(resolve => { socket.onopen = resolve })
    const received = new Promise((resolve, reject) => { socket.onmessage = resolve; socket.onclose = reject })
    for (let at = 0; at < size; at += 1 << 20) {
      const bytes = await blob.slice(at, at + (1 << 20)).arrayBuffer()
      while (socket.bufferedAmount > 4 << 20) await new Promise(resolve => setTimeout(resolve, 1))
      socket.send(bytes)
    }
    await received
    socket.close()
    result.Bare.push(size / 1048576 / ((performance.now() - start) / 1000))
    const pero = await connect({ port: Number(port) })
    start = performance.now()
    const [signed] = await pero.sign({ certificate, documents: [{ name: 'large', content: blob }] })
    if (!signed.signature) throw new Error('no signature')
    result.Agent.push(size / 1048576 / ((performance.now() - start) / 1000))
    pero.close()
  }
  return result
}

try {
  console.log(JSON.stringify(await page.evaluate({ echo, upload }[measure], { port, certificate })))
} finally {
  await browser.close()
}
