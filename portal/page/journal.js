// The journal of signatures that the portal has verified.
import { h, fill, badge, newId } from './dom.js';
import { call } from './api.js';
import { t, time, size } from './i18n.js';
import { verdict } from './parts.js';

export function journal(app) {
  return {
    id: 'journal',
    async render(root) {
      const list = await call('GET', '/api/signatures');
      const detail = h('div', { id: newId() });
      fill(root, app.title('journal'), list.length === 0
        ? h('section', { class: 'card' }, h('p', {}, t('journal.none')), h('p', {}, h('a', { href: '#sign' }, t('section.sign'))))
        : h('section', { class: 'card scroll' }, h('table', { class: 'stacked' },
          h('thead', {}, h('tr', {}, ['document', 'who', 'when', 'result'].map((k) => h('th', { scope: 'col' }, t(`journal.${k}`))))),
          h('tbody', {}, list.map((r) => h('tr', { test: 'signature', data: { valid: String(r.valid), id: r.id } },
            h('td', {}, open(r, detail), h('div', { class: 'quiet' }, size(r.size))),
            h('td', {}, r.signers.map((s) => s.name).join(', ')),
            h('td', {}, time(r.createdAt)),
            h('td', {}, badge(t(r.valid ? 'verdict.good' : 'verdict.bad'), r.valid ? 'good' : 'bad'))))))), detail);
    },
  };

  function open(r, detail) {
    const b = h('button', { type: 'button', class: 'link', 'aria-controls': detail.id }, r.name);
    b.addEventListener('click', () => { fill(detail, verdict(r)); detail.scrollIntoView({ block: 'nearest' }); });
    return b;
  }
}
