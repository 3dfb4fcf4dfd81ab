// The authority's desk: looks at scans, approves or refuses with a reason, revokes with a reason.
import { h, fill, button, note, facts, badge, newId } from './dom.js';
import { call } from './api.js';
import { t, date, time, size } from './i18n.js';
import { begin, frame } from './shell.js';
import { explain, statusBadge } from './parts.js';

const reasons = ['keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn', 'unspecified'];
let shown = ''; // what the lists looked like, to redraw only on a change
let timer;

async function draw() {
  const session = await call('GET', '/api/session');
  const place = frame({ title: t('desk.title'), person: session.desk && t('desk.who'), signOut: session.desk && signOut, redraw: draw, wide: true });
  const main = h('main', { id: 'main-content', test: 'section-desk' });
  fill(place, main);
  clearInterval(timer);
  if (!session.desk) {
    return fill(main, h('header', {}, h('h1', { tabindex: '-1' }, t('desk.title')), h('p', { class: 'lead' }, t('desk.lead'))), note('', t('sign_in.demo'), h('p', {}, t('desk.demo'))),
      h('div', { class: 'row' }, button(t('desk.sign_in'), async () => { await call('POST', '/api/desk/session'); await draw(); }, { kind: 'primary', test: 'desk-sign-in' })));
  }
  shown = '';
  await lists(main);
  timer = setInterval(() => { if (!main.querySelector('form, textarea')) lists(main).catch(() => {}); }, 3000); // the next look says it
}

async function signOut() {
  await call('DELETE', '/api/desk/session');
  await draw();
}

async function lists(main) {
  const [applications, certificates] = await Promise.all([call('GET', '/api/desk/applications'), call('GET', '/api/desk/certificates')]);
  const now = JSON.stringify([applications, certificates]);
  if (now === shown) return;
  shown = now;
  const waiting = applications.filter((a) => a.state === 'submitted');
  const others = applications.filter((a) => a.state !== 'submitted');
  fill(main, h('header', {}, h('h1', { tabindex: '-1' }, t('desk.title')), h('p', { class: 'lead' }, t('desk.lead'))),
    h('h2', {}, t('desk.waiting', { n: waiting.length })),
    waiting.length ? waiting.map((a) => application(a)) : h('p', { class: 'quiet' }, t('desk.waiting.none')),
    others.length > 0 && h('details', { class: 'card' }, h('summary', {}, t('desk.done', { n: others.length })), h('ul', { class: 'plain' }, others.map((a) =>
      h('li', { class: 'row spread', test: 'application', data: { id: a.id, state: a.state } }, h('span', {}, a.subject.commonName, ' ', h('span', { class: 'quiet' }, time(a.updatedAt))), badge(t(`application.${a.state}`), a.state === 'refused' ? 'bad' : a.state === 'installed' ? 'good' : ''))))),
    h('h2', {}, t('desk.certificates')),
    certificates.length ? certificates.map(certificate) : h('p', { class: 'quiet' }, t('desk.certificates.none')));
}

function application(a) {
  const said = h('div', { 'aria-live': 'polite' });
  const say = (e) => fill(said, explain(e));
  const work = h('div', { class: 'stack' });
  const main = () => document.querySelector('main');
  const path = `/api/desk/applications/${a.id}`;
  const after = async () => { shown = ''; await lists(main()); };
  const refuse = button(t('desk.refuse'), () => {
    const id = newId();
    const reason = h('textarea', { id, maxlength: 500, test: 'reason' });
    fill(work, h('div', { class: 'field' }, h('label', { for: id }, t('desk.reason')), reason, h('span', { class: 'hint' }, t('desk.reason.hint'))),
      h('div', { class: 'row' }, button(t('desk.refuse.send'), async () => { await call('POST', `${path}/refuse`, { reason: reason.value }); await after(); }, { kind: 'danger', test: 'refuse-send', failed: say }), button(t('common.cancel'), () => fill(work))));
    reason.focus();
  }, { kind: 'danger', test: 'refuse' });
  return h('article', { class: 'card', test: 'application', data: { id: a.id, state: a.state } },
    h('div', { class: 'row spread' }, h('h3', {}, a.subject.commonName), h('span', { class: 'quiet' }, time(a.updatedAt))),
    facts([t('verdict.inn'), a.fields.inn], [t('verdict.snils'), a.fields.snils], [t('field.phone'), a.fields.phone], [t('field.email'), a.fields.email],
      [t('field.region'), a.fields.region], [t('field.locality'), a.fields.locality],
      [t('first.scans'), h('ul', { class: 'plain' }, a.attachments.map((x) => h('li', {}, h('a', { href: `${path}/attachments/${x.number}`, target: '_blank', rel: 'noopener', test: 'scan' }, x.name), ' ', h('span', { class: 'quiet' }, size(x.size)))))]),
    said, work,
    h('div', { class: 'row' }, button(t('desk.approve'), async () => { await call('POST', `${path}/approve`); await after(); }, { kind: 'primary', test: 'approve', failed: say }), refuse));
}

function certificate(c) {
  const said = h('div', { 'aria-live': 'polite' });
  const say = (e) => fill(said, explain(e));
  const work = h('div', { class: 'stack' });
  const revoke = button(t('desk.revoke'), () => {
    const id = newId();
    const back = () => { fill(work); revoke.hidden = false; revoke.focus(); };
    revoke.hidden = true;
    const select = h('select', { id, test: 'revoke-reason' }, reasons.map((r) => h('option', { value: r }, t(`revocation.${r}`))));
    fill(work, h('form', { class: 'stack', onsubmit: (e) => e.preventDefault() }, h('div', { class: 'field' }, h('label', { for: id }, t('desk.revoke.reason')), select),
      note('warn', t('desk.revoke.warn')),
      h('div', { class: 'row' }, button(t('desk.revoke.send'), async () => { await call('POST', `/api/desk/certificates/${c.serial}/revoke`, { reason: select.value }); shown = ''; await lists(document.querySelector('main')); }, { kind: 'danger', test: 'revoke-send', failed: say }), button(t('common.cancel'), back))));
    select.focus();
  }, { kind: 'danger', test: 'revoke' });
  return h('article', { class: 'card', test: 'certificate', data: { serial: c.serial, status: c.status } },
    h('div', { class: 'row spread' }, h('h3', {}, c.holder), statusBadge(c.status)),
    facts([t('verdict.serial'), h('span', { class: 'mono' }, c.serial)], [t('signature.holds'), `${date(c.notBefore)} – ${date(c.notAfter)}`], [t('signature.key'), c.keyAlgorithm && t(`key.${c.keyAlgorithm}`)],
      [t('desk.revoked'), c.revokedAt && `${time(c.revokedAt)}, ${t(`revocation.${c.reason}`)}`]),
    said, work, ['valid', 'expiring'].includes(c.status) && h('div', { class: 'row' }, revoke));
}

await begin();
await draw();
