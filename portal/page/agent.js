// Pero, as this page sees it: one connection, opened from a click or when the site was let in before; never retried by itself.
import { connect, check } from '/js/pero.js';

export class Agent extends EventTarget {
  // state: unknown, ready, ask (the site is not let in yet), blocked, or one of the client's: permission_pending, permission_denied,
  // absent, refused, no_user_session, certificate_untrusted.
  state = 'unknown';
  pero = null;
  #opening = null; // one attempt at a time: each may be a question to the person
  tokens = [];
  certificates = [];

  constructor(port) {
    super();
    this.port = port;
  }

  #set(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }

  // known: this browser was let in before, so looking asks nobody anything.
  get known() { return localStorage.getItem('pero') === 'known'; }

  // look asks the browser and Pero without opening any window; ends connected when the site was let in before.
  async look() {
    if (this.pero) return this.#again();
    const found = await check({ port: this.port });
    if (found.state === 'ready') return this.open();
    this.#set(found.state);
  }

  // open connects; the browser may ask the person for its local-network permission. From a click.
  open() {
    this.#opening ??= this.#open().finally(() => { this.#opening = null; });
    return this.#opening;
  }

  async #open() {
    if (this.pero) return this.#again();
    try {
      const pero = await connect({ port: this.port, onState: (s) => { if (s === 'permission_pending') this.#set(s); } });
      this.pero = pero;
      pero.on('close', () => {
        if (this.pero !== pero) return;
        this.pero = null;
        this.tokens = this.certificates = [];
        this.#set('absent');
      });
    } catch (e) {
      return this.#set(e.state ?? 'absent');
    }
    await this.#letIn(this.pero.hello.access);
  }

  // #again looks once more: a connection that was not let in asks anew, the person may have changed that by Pero's commands.
  async #again() {
    if (this.state === 'ready') return this.refresh();
    const old = this.pero;
    this.pero = null;
    old.close();
    return this.#open();
  }

  async #letIn(access) {
    if (access !== 'granted') return this.#set(access === 'blocked' ? 'blocked' : 'ask');
    const again = () => this.refresh().catch(() => {}); // the next look says it
    this.pero.on('tokens', again);
    this.pero.on('certificates', again);
    localStorage.setItem('pero', 'known');
    await this.refresh();
  }

  // allow opens Pero's window with the question whether this site may speak to it.
  async allow(purpose) {
    try {
      await this.pero.requestAccess({ purpose });
    } catch (e) {
      if (e.reason !== 'access_blocked') throw e;
      return this.#set('blocked');
    }
    await this.#letIn('granted');
  }

  async refresh() {
    [this.tokens, this.certificates] = await Promise.all([this.pero.tokens(), this.pero.certificates({})]);
    this.#set('ready');
  }

  get ready() { return this.state === 'ready'; }

  // carriers are the tokens on which a new key can be made.
  get carriers() { return this.tokens.filter((t) => t.writable && !['uninitialized', 'unreadable', 'busy', 'pin_locked'].includes(t.state)); }
}
