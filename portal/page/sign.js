// 5. Sign documents of one's own: any file, several with one PIN; the portal verifies and says who, when and with what.
import { h, fill, button, note, newId } from './dom.js';
import { call, upload } from './api.js';
import { t, language, date, size } from './i18n.js';
import { explain, holderOf, issuerOf, ofKey, ending, verdict } from './parts.js';

// A browser keeps an attached signature, which is as large as its document, in its own memory until it is sent on.
const attachedLimit = 256 * 2 ** 20;

export function sign(app) {
  let files = [];
  let chosen = null;
  let packaging = 'detached';
  let revoked = new Set(); // certificates, as far as the portal has said
  let turn = 0;
  let end = null; // of the last signing: what draws it, and in which language it was drawn
  let draw = () => {}; // the list of files as it stands now
  const work = h('div', { class: 'stack' }); // progress and results: they stay when a token that comes or goes draws the section anew

  return {
    id: 'sign',
    watches: true,
    leave() {
      if (app.busy) return;
      end = null;
      fill(work);
    },
    async render(root) {
      const { agent } = app;
      const mine = ++turn;
      const issued = await call('GET', '/api/certificates').catch(() => null); // without the portal the person still chooses documents
      if (mine !== turn) return;
      if (issued) revoked = new Set(issued.filter((c) => c.status === 'revoked').map((c) => c.id));
      const now = Date.now();
      const usable = agent.certificates.filter((c) => c.hasPrivateKey && Date.parse(c.notBefore) <= now && now < Date.parse(c.notAfter))
        .sort((a, b) => revoked.has(a.id) - revoked.has(b.id) || Date.parse(b.notBefore) - Date.parse(a.notBefore));
      const good = usable.filter((c) => !revoked.has(c.id));
      if (!good.some((c) => c.id === chosen)) chosen = good[0]?.id ?? null;
      const id = newId();
      const select = h('select', { id, test: 'certificate' }, usable.map((c) =>
        h('option', { value: c.id, disabled: revoked.has(c.id) }, t(revoked.has(c.id) ? 'sign.option.revoked' : 'sign.option',
          { name: holderOf(c), date: date(c.notAfter), key: ofKey(c), serial: ending(c) }))));
      const issuer = h('span', { class: 'hint' });
      const choose = () => { // the number again: a narrow list cuts it off
        const c = good.find((x) => x.id === chosen);
        issuer.textContent = c ? t('sign.issuer', { serial: ending(c), issuer: issuerOf(c) }) : '';
      };
      select.value = chosen;
      select.addEventListener('change', () => { chosen = select.value; choose(); });
      choose();
      const list = h('ul', { class: 'plain' });
      const idle = () => !files.length || !chosen;
      const go = button(t('sign.go'), () => run(usable.find((c) => c.id === chosen)), { kind: 'primary', test: 'sign', disabled: idle });
      draw = () => {
        fill(list, files.map((f, i) => h('li', { class: 'row spread', test: 'file' }, h('span', {}, f.name), h('span', { class: 'row' }, h('span', { class: 'quiet' }, size(f.size)),
          button(t('first.detach'), () => { files = files.filter((_, k) => k !== i); draw(); }, { kind: 'link', describe: `${t('first.detach')}: ${f.name}` })))));
        go.textContent = files.length > 1 ? t('sign.go.many', { n: files.length }) : t('sign.go');
        go.disabled = idle();
      };
      const input = h('input', { type: 'file', multiple: true, id: newId(), test: 'files' });
      const take = (more) => { files = [...files, ...more]; input.value = ''; draw(); };
      input.addEventListener('change', () => take(input.files));
      const drop = h('div', { class: 'drop' }, h('strong', {}, t('sign.files')), input, h('label', { for: input.id, class: 'button' }, t('common.choose')), h('p', { class: 'quiet' }, t('sign.files.hint')));
      drop.addEventListener('dragover', (e) => { e.preventDefault(); drop.classList.add('over'); });
      drop.addEventListener('dragleave', () => drop.classList.remove('over'));
      drop.addEventListener('drop', (e) => { e.preventDefault(); drop.classList.remove('over'); take(e.dataTransfer.files); });
      const name = newId();
      const pack = h('fieldset', {}, h('legend', {}, t('sign.packaging')), ['detached', 'attached'].map((p) => {
        const radio = h('input', { type: 'radio', name, checked: p === packaging, test: `packaging-${p}` });
        radio.addEventListener('change', () => { packaging = p; });
        return h('label', { class: 'choice text-only' }, radio, h('span', {}, h('strong', {}, t(`sign.${p}`)), h('small', {}, t(`sign.${p}.hint`))));
      }));
      draw();
      fill(root, app.title('sign'), !agent.ready && app.notReady(),
        h('section', { class: 'card' },
          usable.length > 0 && h('div', { class: 'field' }, h('label', { for: id }, t('sign.certificate')), select, issuer),
          !good.length && agent.ready && note('warn', t('sign.none'), h('p', {}, h('a', { href: '#add' }, t('section.add')))),
          drop, list, h('details', {}, h('summary', {}, t('sign.more')), pack),
          h('p', { class: 'quiet' }, t('sign.pin')), h('div', { class: 'row' }, go)),
        work);
      if (end && end.language !== language()) tell(end.show);
    },
  };

  // tell shows the end of a signing, and again after a change of language.
  function tell(show) {
    end = { show, language: language() };
    fill(work, show());
  }

  async function run(certificate) {
    const stop = new AbortController();
    const { signal } = stop;
    const detached = packaging === 'detached';
    const batch = files;
    const large = batch.find((f) => !detached && f.size > attachedLimit);
    if (large) return tell(() => note('bad', t('sign.attached.large', { name: large.name, limit: size(attachedLimit) })));
    const total = batch.reduce((n, f) => n + f.size, 0);
    const toPero = new Map();
    const toPortal = new Map();
    const sum = (m) => [...m.values()].reduce((a, b) => a + b, 0);
    const bar = h('progress', { max: 1, value: 0, 'aria-label': t('sign.progress') });
    const said = h('p', { role: 'status', 'aria-live': 'polite' }, t('sign.step.upload'));
    let step = 'upload';
    const move = () => {
      const of = total * (detached ? 2 : 1);
      bar.value = of ? Math.min(1, (sum(toPero) + sum(toPortal)) / of) : 1;
    };
    const card = h('section', { class: 'card', test: 'progress', data: { state: 'running' } }, said, bar, h('div', { class: 'row' }, button(t('common.cancel'), () => stop.abort(), { test: 'cancel' })));
    end = null;
    fill(work, card);
    card.scrollIntoView({ block: 'nearest' });
    app.busy = true;
    try {
      // The portal needs the digest of a detached document: it gets the document itself, while the person looks at Pero's window.
      const sent = Promise.all(batch.map(async (f, i) => detached ? upload(`/api/documents?name=${encodeURIComponent(f.name)}`, f, { signal, onProgress: (n) => { toPortal.set(i, n); move(); } }) : null));
      sent.catch(() => stop.abort());
      const signed = app.agent.pero.sign({
        certificate: certificate.id, packaging, signal,
        documents: batch.map((f, i) => ({ id: String(i), name: f.name, mediaType: f.type || undefined, content: f })),
        onProgress: (p) => {
          if (p.step === 'upload' && p.done !== undefined) toPero.set(p.document ?? '', p.done);
          if (p.step !== step) {
            step = p.step;
            fill(said, t(`sign.step.${step}`));
          }
          move();
        },
      });
      const [documents, results] = await Promise.all([sent, signed]);
      fill(said, t('sign.step.verify'));
      const reports = [];
      for (const r of results) {
        const i = Number(r.id);
        if (r.error) {
          reports.push(() => h('article', { class: 'card seal bad', test: 'result', data: { valid: 'false' } }, h('h3', {}, batch[i].name), explain(r.error)));
          continue;
        }
        const where = detached ? `document=${documents[i].id}` : `name=${encodeURIComponent(batch[i].name)}`;
        const body = r.signature instanceof Blob ? r.signature : new Blob([r.signature]);
        const report = await upload(`/api/signatures?${where}`, body, { signal });
        reports.push(() => verdict(report));
      }
      card.dataset.state = 'done';
      files = [];
      draw();
      tell(() => [h('h2', { tabindex: '-1' }, t('sign.results')), reports.map((show) => show())]);
      work.firstChild.focus();
    } catch (e) {
      card.dataset.state = 'failed';
      tell(() => [explain(e), h('p', { class: 'quiet' }, t('sign.safe'))]);
    } finally {
      app.busy = false;
    }
  }
}
