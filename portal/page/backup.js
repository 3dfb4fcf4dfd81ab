// 7. Backup: the certificate as a file; a file carrier copied as it is, encrypted under its PIN, and brought back.
import { h, fill, button, note, badge, save } from './dom.js';
import { t, date } from './i18n.js';
import { explain, holderOf, ofKey, ending, carrierName } from './parts.js';

export function backup(app) {
  return {
    id: 'backup',
    watches: true,
    render(root) {
      const { agent } = app;
      const said = h('div', { 'aria-live': 'polite' });
      const say = (e) => fill(said, explain(e));
      const files = agent.tokens.filter((x) => x.carrier === 'file' && x.state !== 'pin_not_set');
      const mine = agent.certificates.filter((c) => c.hasPrivateKey);
      fill(root, app.title('backup'), !agent.ready && app.notReady(), said,
        h('section', { class: 'card' }, h('h2', {}, t('backup.export')), h('p', {}, t('backup.export.text')),
          mine.length ? h('ul', { class: 'plain' }, mine.map((c) => h('li', { class: 'row spread' },
            h('span', {}, holderOf(c), ' ', h('span', { class: 'quiet' }, t('backup.certificate', { date: date(c.notAfter), key: ofKey(c), serial: ending(c) }))),
            h('span', { class: 'row' }, ['cer', 'pem'].map((kind) => button(`.${kind}`, () => exportAs(c, kind), { test: `export-${kind}`, failed: say, describe: t('backup.export.as', { kind, name: holderOf(c), serial: ending(c) }) }))))))
            : h('p', { class: 'quiet' }, t('backup.no_certificates'))),
        h('section', { class: 'card' }, h('h2', {}, t('backup.copy')), h('p', {}, t('backup.copy.text')),
          files.length ? h('ul', { class: 'plain' }, files.map((x) => h('li', { class: 'row spread' }, h('span', { class: 'row' }, carrierName(x), x.state !== 'ready' && badge(t(`token.${x.state}`), 'warn')),
            button(t('backup.copy.go'), async () => {
              fill(said, note('', t('backup.look')));
              await agent.pero.backup(x.id);
              fill(said, note('good', t('backup.copy.done'), h('p', {}, t('backup.copy.keep'))));
            }, { test: 'backup', failed: say, describe: `${t('backup.copy.go')}: ${carrierName(x)}` }))))
            : h('p', { class: 'quiet' }, t('backup.no_files'))),
        h('section', { class: 'card' }, h('h2', {}, t('backup.restore')), h('p', {}, t('backup.restore.text')),
          h('div', { class: 'row' }, button(t('backup.restore.go'), async () => {
            fill(said, note('', t('backup.look')));
            const token = await agent.pero.restore();
            await agent.refresh();
            app.tell('backup', () => note('good', t('backup.restore.done', { name: token.label })));
          }, { test: 'restore', disabled: !agent.ready, failed: say }))));
    },
  };

  async function exportAs(c, kind) {
    const out = await app.agent.pero.exportCertificate(c.id);
    const name = `${holderOf(c).replace(/[^\p{L}\p{N}]+/gu, '_') || 'certificate'}.${kind}`;
    save(name, kind === 'pem' ? new Blob([out.pem], { type: 'application/x-pem-file' }) : new Blob([out.der], { type: 'application/pkix-cert' }));
  }
}
