// The agent's processes, as /proc shows them.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

function children (pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
  } catch {
    return [] // it ended meanwhile
  }
}

function program (pid) {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return ''
  }
}

// The open windows: each with the process that shows it and the token-host that asked for it.
export const windows = t => children(t.agent.pid).flatMap(host => children(host).filter(p => program(p) === t.window.path).map(window => ({ host, window })))

// A process that is there and is no zombie.
export const lives = pid => program(pid) !== ''
