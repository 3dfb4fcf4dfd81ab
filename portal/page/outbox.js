// The outbox: what the portal has sent to the person who is signed in. It stands in for text messages, and says so.
import { h, fill, note, badge } from './dom.js';
import { call } from './api.js';
import { t, time } from './i18n.js';
import { begin, frame } from './shell.js';

let shown = '';
let timer;

async function draw() {
  const session = await call('GET', '/api/session');
  const person = session.person;
  const place = frame({ title: t('outbox.title'), person: person && `${person.surname} ${person.givenName}`, redraw: draw, wide: true });
  const main = h('main', { id: 'main-content', test: 'section-outbox' });
  fill(place, main);
  clearInterval(timer);
  const head = [h('header', {}, h('h1', { tabindex: '-1' }, t('outbox.title')), h('p', { class: 'lead' }, t('outbox.lead'))), note('', t('outbox.demo'), h('p', {}, t(session.mail ? 'outbox.smtp' : 'outbox.no_smtp')))];
  if (!person) return fill(main, head, h('p', {}, h('a', { href: '/' }, t('outbox.sign_in'))));
  const list = h('div', { class: 'stack', 'aria-live': 'polite' });
  fill(main, head, list);
  shown = '';
  const look = async () => {
    const messages = await call('GET', '/api/messages');
    if (JSON.stringify(messages) === shown) return;
    shown = JSON.stringify(messages);
    fill(list, messages.length ? messages.map(message) : h('p', { class: 'quiet' }, t('outbox.none')));
  };
  await look();
  timer = setInterval(() => look().catch(() => {}), 2000); // the next look says it
}

function message(m) {
  return h('article', { class: 'card', test: 'message', data: { channel: m.channel, state: m.state } },
    h('div', { class: 'row spread' }, h('span', {}, h('strong', {}, t(`outbox.${m.channel}`)), ' ', h('span', { class: 'quiet' }, m.address)),
      h('span', { class: 'row' }, h('span', { class: 'quiet' }, time(m.createdAt)), badge(t(`outbox.state.${m.state}`), { sent: 'good', failed: 'bad', queued: 'warn' }[m.state] ?? ''))),
    h('h3', {}, m.subject), h('p', {}, m.text));
}

await begin();
await draw();
