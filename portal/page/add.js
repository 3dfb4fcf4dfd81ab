// 4. Add a certificate: carrier, PIN in Pero's window, key, request, certificate, verification. And what an interrupted issue left.
import { h, fill, button, note, facts } from './dom.js';
import { Words, call, bytes, base64 } from './api.js';
import { t, date } from './i18n.js';
import { progress } from './progress.js';
import { carrierChoice, keyChoice, explain } from './parts.js';

const names = ['open', 'consent', 'key', 'request', 'authority', 'checking', 'writing', 'proving', 'profile'];

export function add(app) {
  const work = h('div', { class: 'stack' }); // what an issue says stays when a token that comes or goes draws the section anew
  const chosen = {}; // carrier and kind of key, for the same reason

  return {
    id: 'add',
    watches: true,
    leave() { if (!app.busy) fill(work); },
    async render(root) {
      const { agent } = app;
      const list = await call('GET', '/api/applications');
      const a = list.find((x) => x.kind === 'first' && ['confirmed', 'requested', 'issued'].includes(x.state));
      const left = agent.ready ? await agent.pero.enrollments() : [];
      fill(root, app.title('add'), !agent.ready && app.notReady(), left.length > 0 && unfinished(left),
        a ? wizard(a) : app.told?.id !== 'add' && h('section', { class: 'card' }, h('h2', {}, t('add.none')), h('p', {}, t('add.none.text')), h('p', {}, h('a', { href: '#first' }, t('section.first')))));
    },
  };

  function wizard(a) {
    const { agent } = app;
    const carriers = agent.carriers;
    const choice = carrierChoice(carriers, chosen.token);
    const key = keyChoice(choice, chosen.key);
    choice.element.addEventListener('choose', () => { chosen.token = choice.value; });
    key.select.addEventListener('change', () => { chosen.key = key.value; });
    const create = button(t('add.create'), () => run(a, choice.value, key.value, form), { kind: 'primary', test: 'create', disabled: !agent.ready || !carriers.length });
    const form = h('div', { class: 'stack' },
      h('h2', {}, t('add.request')),
      facts([t('verdict.who'), a.subject.commonName], [t('verdict.inn'), a.subject.inn], [t('verdict.snils'), a.subject.snils], [t('field.email'), a.subject.email]),
      carriers.length ? [choice.element, key.element] : agent.ready && note('bad', t('ready.carriers.none'), h('p', {}, t('ready.carriers.none.next'))),
      h('p', { class: 'quiet' }, t('add.pin')),
      h('div', { class: 'row' }, create));
    return h('section', { class: 'card', test: 'application', data: { state: a.state } }, form, work);
  }

  async function run(a, token, algorithm, form) {
    const { agent } = app;
    const stop = new AbortController();
    const steps = progress('add.step', names);
    form.hidden = true;
    fill(work, steps.element, h('div', { class: 'row' }, button(t('common.cancel'), () => stop.abort(), { test: 'cancel' })));
    app.busy = true;
    try {
      steps.at('open');
      await agent.pero.enroll({
        token, key: { algorithm }, subject: a.subject, requestId: a.requestId, signal: stop.signal,
        extensions: { keyUsage: ['digitalSignature', 'nonRepudiation'], extendedKeyUsage: ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.4'], subjectSignTool: 'Pero (перо)', identificationKind: 0 },
        onProgress: ({ step }) => steps.at(step),
      }, async (csr) => {
        steps.at('authority');
        return (await call('POST', `/api/applications/${a.id}/certificate`, { csr: base64(csr) })).certificates.map(bytes);
      }).then((c) => finish(a, c, steps));
    } catch (e) {
      app.busy = false;
      steps.fail();
      const again = [button(t('common.again'), () => { fill(work); return app.show(); }, { kind: 'primary', test: 'again' })];
      if (e.reason === 'conflict' && a.state === 'confirmed') {
        again.push(button(t('add.restart'), async () => { await call('POST', `/api/applications/${a.id}/restart`); fill(work); await app.show(); }, { test: 'restart' }));
      }
      fill(work, steps.element, explain(e), h('p', { class: 'quiet' }, t('add.safe')), h('div', { class: 'row' }, again));
    }
  }

  async function finish(a, certificate, steps) {
    steps?.at('profile');
    await call('POST', `/api/applications/${a.id}/installed`);
    await app.agent.refresh();
    steps?.done();
    app.busy = false;
    fill(work);
    await app.tell('add', () => note('good', t('add.done'), h('p', {}, t('add.done.text', { serial: certificate.serialNumber, date: date(certificate.notAfter) })),
      h('p', { class: 'row' }, h('a', { href: '#sign' }, t('add.done.sign')), h('a', { href: '#backup' }, t('add.done.backup')))));
  }

  // unfinished: keys that wait for their certificate, also after a crash or a closed page.
  function unfinished(list) {
    return h('section', { class: 'card' }, h('h2', {}, t('add.waiting')), h('p', { class: 'quiet' }, t('add.waiting.text')),
      h('ul', { class: 'plain' }, list.map((e) => {
        const said = h('div');
        const say = (x) => fill(said, explain(x));
        return h('li', { class: 'stack', test: 'waiting', data: { id: e.enrollment, state: e.state } },
          h('div', { class: 'row spread' }, h('span', {}, t('add.waiting.of', { date: date(e.createdAt) }), ' · ', t(`enrollment.${e.state}`)),
            h('span', { class: 'row' },
              e.csr && button(t('add.complete'), () => complete(e), { test: 'complete', failed: say }),
              button(t('add.discard'), async () => { await app.agent.pero.cancelEnrollment(e.enrollment); await app.show(); }, { kind: 'danger', test: 'discard', failed: say }))), said);
      })));
  }

  async function complete(e) {
    let issued;
    try {
      issued = await call('POST', '/api/issued', { csr: base64(e.csr) });
    } catch (x) {
      if (x.code !== 'not_found') throw x;
      throw new Words(t('add.complete.never'));
    }
    const certificate = await app.agent.pero.complete(e.enrollment, issued.certificates.map(bytes));
    await finish(issued.application, certificate);
  }
}
