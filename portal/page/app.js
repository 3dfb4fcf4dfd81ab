// The citizen's page: sign-in, sections, and what they share.
import { h, fill, button, note } from './dom.js';
import { call } from './api.js';
import { t, language } from './i18n.js';
import { begin, frame } from './shell.js';
import { Agent } from './agent.js';
import { explain } from './parts.js';
import { ready } from './ready.js';
import { signature } from './signature.js';
import { first } from './first.js';
import { add } from './add.js';
import { sign } from './sign.js';
import { backup } from './backup.js';
import { journal } from './journal.js';

const app = {
  agent: null,
  session: null,
  sections: [],
  main: null,
  busy: false, // a section is at work and must not be drawn anew
  told: null, // a message for one section, until the next

  get section() { return this.sections.find((s) => s.id === location.hash.slice(1)) ?? this.sections[0]; },

  title(id) {
    return h('header', {}, h('h1', { tabindex: '-1' }, t(`section.${id}`)), h('p', { class: 'lead' }, t(`section.${id}.lead`)), this.told?.id === id && this.told.message());
  },

  // tell shows a message at the head of a section. The message is made anew for each drawing.
  tell(id, message) {
    this.told = { id, message };
    location.hash = id;
    return this.show();
  },

  notReady() {
    return h('div', { class: 'note warn', test: 'not-ready' }, h('strong', {}, t('ready.needed')), h('p', {}, t('ready.needed.text')),
      h('p', { class: 'row' }, button(t('ready.connect'), async () => { await this.agent.open(); if (!this.agent.ready) location.hash = 'ready'; await this.show(); }, { test: 'connect' }), h('a', { href: '#ready' }, t('section.ready'))));
  },

  // show draws the section anew. Only the newest drawing is put on the page.
  async show() {
    const section = this.section;
    const root = h('main', { id: 'main-content', test: `section-${section.id}` });
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      await section.render(root);
    } catch (e) {
      if (e.code === 'sign_in_first') return start();
      fill(root, this.title(section.id), explain(e), h('div', { class: 'row' }, button(t('common.again'), () => this.show())));
    }
    if (turn !== this.turn) return;
    const held = this.main.contains(document.activeElement) && document.activeElement.dataset.test;
    this.main.replaceWith(root);
    this.main = root;
    if (held) root.querySelector(`[data-test="${held}"]`)?.focus();
  },

  draw() {
    const s = this.session;
    document.title = '';
    const place = frame({ title: t(`section.${this.section.id}`), person: `${s.person.surname} ${s.person.givenName}`, signOut, redraw });
    const list = h('ul', { id: 'sections' }, this.sections.map((x) => h('li', {}, h('a', { href: `#${x.id}`, test: `nav-${x.id}`, 'aria-current': x === this.section && 'page' }, t(`section.${x.id}`)))));
    const nav = h('nav', { 'aria-label': t('common.sections') },
      h('button', { type: 'button', class: 'menu', 'aria-expanded': 'false', 'aria-controls': 'sections', test: 'menu', onclick: (e) => {
        const open = nav.toggleAttribute('data-open');
        e.currentTarget.setAttribute('aria-expanded', String(open));
      } }, h('span', {}, t(`section.${this.section.id}`)), h('span', { 'aria-hidden': 'true' }, '☰')), list);
    this.main = h('main', { id: 'main-content' });
    fill(place, nav, this.main);
    return this.show();
  },
};

async function redraw() {
  if (app.session.person) await call('PUT', '/api/session', { language: language() });
  return app.draw();
}

async function signOut() {
  await call('DELETE', '/api/session');
  app.agent?.pero?.close();
  location.hash = '';
  return start();
}

function choosePerson() {
  const place = frame({ title: t('sign_in.title'), redraw: choosePerson, wide: true });
  const failed = h('div');
  fill(place, h('main', { id: 'main-content', test: 'section-sign-in' },
    h('header', {}, h('h1', { tabindex: '-1' }, t('sign_in.title')), h('p', { class: 'lead' }, t('sign_in.lead'))),
    note('', t('sign_in.demo'), h('p', {}, t('sign_in.demo.text'))), failed,
    h('section', { class: 'card' }, h('h2', {}, t('sign_in.choose')), h('div', { class: 'grid' }, app.session.people.map((p) =>
      button(`${p.surname} ${p.givenName} ${p.patronymic}`.trim(), async () => {
        await call('POST', '/api/session', { person: p.id, language: language() });
        await start();
      }, { test: `person-${p.id}`, failed: (e) => fill(failed, explain(e)) })))),
    h('section', { class: 'card' }, h('h2', {}, t('sign_in.what')), h('ol', {}, ['one', 'two', 'three', 'four'].map((k) => h('li', {}, t(`sign_in.what.${k}`)))))));
}

async function start() {
  try {
    app.session = await call('GET', '/api/session');
  } catch (e) {
    return fill(document.body, h('main', {}, explain(e)));
  }
  if (!app.session.person) return choosePerson();
  app.told = null;
  app.agent = new Agent(app.session.agentPort);
  app.sections = [ready, signature, first, add, sign, backup, journal].map((make) => make(app));
  app.agent.addEventListener('change', () => { if (!app.busy && app.section.watches) app.show(); });
  await app.draw();
  if (app.agent.known) await app.agent.look();
}

addEventListener('hashchange', async () => {
  if (!app.session?.person) return;
  for (const s of app.sections) s.leave?.();
  if (app.told?.id !== app.section.id) app.told = null;
  await app.draw();
  app.main.querySelector('h1')?.focus();
});

await begin();
await start();
