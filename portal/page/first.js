// 3. First issue: choose an authority, fill in, attach scans, wait for the desk, enter the code.
import { h, fill, button, note, field, facts, badge, newId } from './dom.js';
import { Words, call, upload } from './api.js';
import { t, date, size } from './i18n.js';
import * as checks from './checks.js';
import { explain } from './parts.js';

const stages = ['authority', 'form', 'scans', 'desk', 'code'];
const limit = 5 * 1024 * 1024;

export function first(app) {
  let choosing = false; // a new application is being begun
  let stage = null; // what the person went back to: form or scans
  let timer;

  const path = (a, rest = '') => `/api/applications/${a.id}${rest}`;

  return {
    id: 'first',
    leave() { clearInterval(timer); },
    async render(root) {
      clearInterval(timer);
      const list = (await call('GET', '/api/applications')).filter((a) => a.kind === 'first');
      const open = list.find((a) => ['draft', 'submitted', 'approved', 'refused', 'confirmed', 'requested'].includes(a.state));
      const body = h('div', { class: 'stack' });
      fill(root, app.title('first'), body);
      if (!open && !choosing) return begin(body, list);
      if (!open) return authorities(body);
      const holder = h('div', { test: 'application', data: { state: open.state, id: open.id }, class: 'stack' });
      fill(body, holder);
      await ({ draft: drafting, refused: drafting, submitted: waiting, approved: code }[open.state] ?? confirmed)(holder, open);
    },
  };

  function begin(body, list) {
    fill(body, h('section', { class: 'card' }, h('h2', {}, t('first.begin')), h('p', {}, t('first.begin.text')),
      h('div', { class: 'row' }, button(t('first.new'), () => { choosing = true; return app.show(); }, { kind: 'primary', test: 'new-application' }))),
    list.length > 0 && h('section', { class: 'card' }, h('h2', {}, t('first.past')), h('ul', { class: 'plain' }, list.map((a) =>
      h('li', { class: 'row spread' }, t('first.of', { date: date(a.createdAt) }), badge(t(`application.${a.state}`), a.state === 'installed' ? 'good' : ''))))));
  }

  function across(now) {
    return h('ol', { class: 'steps across', 'aria-label': t('first.stages') }, stages.map((s) =>
    h('li', { data: { state: stages.indexOf(s) < stages.indexOf(now) ? 'done' : s === now ? 'active' : 'waiting' }, 'aria-current': s === now && 'step' }, t(`first.stage.${s}`))));
  }

  async function authorities(body) {
    const list = await call('GET', '/api/authorities');
    let chosen = 'own';
    const name = newId();
    const failed = h('div');
    fill(body, across('authority'), h('section', { class: 'card' },
      h('fieldset', {}, h('legend', {}, t('first.authority')), list.authorities.map((a) => {
        const input = h('input', { type: 'radio', name, value: a.id, checked: a.id === chosen, disabled: !(a.active && a.accepts), test: `authority-${a.id}` });
        input.addEventListener('change', () => { chosen = a.id; });
        return h('label', { class: 'choice text-only' }, input,
          h('span', {}, h('strong', {}, a.short || a.name), h('small', {}, [a.name !== a.short && a.name, a.city, a.ogrn && `${t('first.ogrn')} ${a.ogrn}`].filter(Boolean).join(' · '))),
          badge(t(!a.active ? 'authority.ended' : a.accepts ? 'authority.here' : 'authority.elsewhere'), a.active && a.accepts ? 'good' : ''));
      })),
      h('p', { class: 'quiet' }, t(list.sample ? 'first.list.sample' : 'first.list', { date: date(list.date), version: list.version })),
      failed,
      h('div', { class: 'row' },
        button(t('common.next'), async () => { await call('POST', '/api/applications', { authority: chosen }); choosing = false; stage = 'form'; await app.show(); }, { kind: 'primary', test: 'next', failed: (e) => fill(failed, explain(e)) }),
        button(t('common.back'), () => { choosing = false; return app.show(); }))));
  }

  function drafting(body, a) {
    if (stage === 'scans') return scans(body, a);
    return form(body, a);
  }

  function form(body, a) {
    const need = (test) => (v) => !v.trim() ? t('problem.field_missing') : test(v);
    const plain = need(() => null);
    const f = a.fields;
    const fields = {
      surname: field({ name: 'surname', label: t('field.surname'), value: f.surname, autocomplete: 'family-name', check: plain, maxlength: 64 }),
      givenName: field({ name: 'givenName', label: t('field.givenName'), value: f.givenName, autocomplete: 'given-name', check: plain, maxlength: 32 }),
      patronymic: field({ name: 'patronymic', label: t('field.patronymic'), hint: t('field.patronymic.hint'), value: f.patronymic, autocomplete: 'additional-name', required: false, maxlength: 31 }),
      inn: field({ name: 'inn', label: t('field.inn'), hint: t('field.inn.hint'), value: f.inn, inputmode: 'numeric', check: need((v) => checks.inn(v) ? null : t('field.inn.wrong')), maxlength: 20 }),
      snils: field({ name: 'snils', label: t('field.snils'), hint: t('field.snils.hint'), value: f.snils, inputmode: 'numeric', check: need((v) => checks.snils(v) ? null : t('field.snils.wrong')), maxlength: 20 }),
      phone: field({ name: 'phone', label: t('field.phone'), hint: t('field.phone.hint'), type: 'tel', value: f.phone, autocomplete: 'tel', check: need((v) => checks.phone(v) ? null : t('field.phone.wrong')), maxlength: 25 }),
      email: field({ name: 'email', label: t('field.email'), hint: t('field.email.hint'), type: 'email', value: f.email, autocomplete: 'email', check: need((v) => checks.email(v) ? null : t('field.email.wrong')), maxlength: 128 }),
      region: field({ name: 'region', label: t('field.region'), value: f.region, check: plain, maxlength: 128 }),
      locality: field({ name: 'locality', label: t('field.locality'), value: f.locality, check: plain, maxlength: 128 }),
    };
    const failed = h('div');
    const all = Object.entries(fields);
    const next = async () => {
      fill(failed);
      const wrong = all.filter(([, x]) => !x.valid());
      if (wrong.length) return wrong[0][1].input.focus();
      try {
        await call('PUT', path(a), Object.fromEntries(all.map(([k, x]) => [k, x.value])));
      } catch (e) {
        const x = fields[e.field];
        if (!x) throw e;
        x.say(e.message);
        return x.input.focus();
      }
      stage = 'scans';
      await app.show();
    };
    fill(body, across('form'), a.state === 'refused' && refusal(a),
      h('section', { class: 'card' }, h('h2', {}, t('first.form')), h('p', { class: 'quiet' }, t('first.form.text')),
        h('div', { class: 'grid' }, all.map(([, x]) => x.element)), failed,
        h('div', { class: 'row' }, button(t('common.next'), next, { kind: 'primary', test: 'next', failed: (e) => fill(failed, explain(e)) }), withdraw(a, failed))));
  }

  function refusal(a) {
    return h('div', { class: 'note bad', role: 'alert', test: 'refusal' }, h('strong', {}, t('first.refused')), h('p', {}, a.reason), h('p', {}, t('first.refused.next')));
  }

  function withdraw(a, failed) {
    return button(t('first.withdraw'), async () => {
    if (!confirm(t('first.withdraw.sure'))) return;
    await call('DELETE', path(a));
    stage = null;
    await app.show();
  }, { test: 'withdraw', failed: (e) => fill(failed, explain(e)) });
  }

  function scans(body, a) {
    const failed = h('div');
    const say = (e) => fill(failed, explain(e));
    const bar = h('progress', { hidden: true, max: 1, value: 0, 'aria-label': t('first.uploading') });
    const add = async (files) => {
      fill(failed);
      try {
        for (const file of files) {
          if (file.size > limit) throw new Words(t('problem.attachment_too_large', { name: file.name }));
          bar.hidden = false;
          await upload(path(a, `/attachments?name=${encodeURIComponent(file.name)}`), file, { onProgress: (n, of) => { bar.value = of ? n / of : 0; } });
        }
        await app.show();
      } catch (e) {
        bar.hidden = true;
        say(e);
      }
    };
    const input = h('input', { type: 'file', multiple: true, accept: 'application/pdf,image/jpeg,image/png', id: newId(), test: 'attach' });
    input.addEventListener('change', () => add(input.files));
    const drop = h('div', { class: 'drop' }, h('strong', {}, t('first.attach')), input, h('label', { for: input.id, class: 'button' }, t('common.choose')), h('p', { class: 'quiet' }, t('first.attach.hint')));
    drop.addEventListener('dragover', (e) => { e.preventDefault(); drop.classList.add('over'); });
    drop.addEventListener('dragleave', () => drop.classList.remove('over'));
    drop.addEventListener('drop', (e) => { e.preventDefault(); drop.classList.remove('over'); add(e.dataTransfer.files); });
    fill(body, across('scans'), h('section', { class: 'card' }, h('h2', {}, t('first.scans')), h('p', {}, t('first.scans.which')),
      a.attachments.length > 0 && h('ul', { class: 'plain' }, a.attachments.map((x) => h('li', { class: 'row spread', test: 'attachment' },
        h('a', { href: path(a, `/attachments/${x.number}`), target: '_blank', rel: 'noopener' }, x.name), h('span', { class: 'row' }, h('span', { class: 'quiet' }, size(x.size)),
          button(t('first.detach'), async () => { await call('DELETE', path(a, `/attachments/${x.number}`)); await app.show(); }, { kind: 'link', failed: say, describe: `${t('first.detach')}: ${x.name}` }))))),
      a.attachments.length < 5 && drop, bar, failed,
      h('div', { class: 'row' },
        button(t('first.submit'), async () => { await call('POST', path(a, '/submit')); stage = null; await app.show(); }, { kind: 'primary', test: 'submit', disabled: a.attachments.length === 0, failed: say }),
        button(t('common.back'), () => { stage = 'form'; return app.show(); }))));
  }

  function waiting(body, a) {
    const failed = h('div');
    fill(body, across('desk'), h('section', { class: 'card' }, h('h2', {}, t('first.desk')), h('p', {}, t('first.desk.text')), summary(a),
      note('', null, h('p', {}, t('first.desk.demo'), ' ', h('a', { href: '/desk', target: '_blank', rel: 'noopener' }, t('desk.title')))), failed,
      h('div', { class: 'row' }, withdraw(a, failed))));
    watch(a);
  }

  // watch shows the application again when the desk has moved it.
  function watch(a) {
    timer = setInterval(async () => {
      const now = (await call('GET', '/api/applications').catch(() => [])).find((x) => x.id === a.id);
      if (now && now.state !== a.state) await app.show();
    }, 2000);
  }

  function summary(a) {
    return facts([t('verdict.who'), a.subject.commonName], [t('verdict.inn'), a.fields.inn], [t('verdict.snils'), a.fields.snils],
    [t('field.email'), a.fields.email], [t('first.scans'), a.attachments.map((x) => x.name).join(', ')]);
  }

  function code(body, a) {
    const failed = h('div', { 'aria-live': 'polite' });
    const id = newId();
    const input = h('input', { id, type: 'text', class: 'code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 6, test: 'code', 'aria-describedby': `${id}h` });
    const say = (e) => { fill(failed, explain(e)); input.select(); };
    const send = button(t('first.confirm'), async () => { fill(failed); await call('POST', path(a, '/confirm'), { code: checks.digits(input.value) }); await app.show(); }, { kind: 'primary', test: 'confirm', failed: say });
    input.addEventListener('keydown', (e) => { if (e.key === 'Enter') send.click(); });
    fill(body, across('code'), h('section', { class: 'card' }, h('h2', {}, t('first.code')),
      h('p', { id: `${id}h` }, t('first.code.text', { phone: a.fields.phone.replace(/^(\+\d{2})\d+(\d{2})$/, '$1 ••• •• $2'), email: a.fields.email })),
      note('', null, h('p', {}, t('first.code.demo'), ' ', h('a', { href: '/outbox', target: '_blank', rel: 'noopener' }, t('outbox.title')))),
      h('div', { class: 'field' }, h('label', { for: id }, t('first.code.label')), input), failed,
      h('div', { class: 'row' }, send, button(t('first.code.again'), async () => { await call('POST', path(a, '/code')); input.value = ''; fill(failed, note('', t('first.code.sent'))); }, { test: 'code-again', failed: say }))));
  }

  function confirmed(body, a) {
    fill(body, h('section', { class: 'card' }, note('good', t('first.confirmed'), h('p', {}, t('first.confirmed.text'))), summary(a),
      h('p', {}, h('a', { class: 'button', href: '#add', test: 'go-add' }, t('section.add')))));
  }
}
